"""The routes of stored files: upload, list, look, download, delete."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from serve_app.core.errors import NotFound
from serve_app.core.stored_file import FilePage, FileQuery, FileRecord
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange, Headers
from serve_app.ingress.kept import kept
from serve_app.ingress.router import Route
from serve_app.ingress.upload import FORM_BYTES, Upload
from serve_app.wire import files as wire
from serve_app.wire.form import Form

_FILE_ID: Final = re.compile(r"file-[A-Za-z0-9_-]{1,64}")


class Arriving(Protocol):
    """A file on its way in; see `files.incoming.Incoming`."""

    async def write(self, data: bytes) -> None: ...

    async def keep(self, *, filename: str, purpose: str, expires_at: int) -> FileRecord: ...


class Limits(Protocol):
    """What of the policy these routes look at."""

    @property
    def max_file_bytes(self) -> int: ...

    @property
    def upload_s(self) -> int: ...


class Stored(Protocol):
    """What of the store of files these routes use; see `files.files.Files`."""

    @property
    def policy(self) -> Limits: ...

    def receive(self, tenant: str) -> AbstractAsyncContextManager[Arriving]: ...

    def expiry(self, seconds: int | None) -> int: ...

    async def get(self, tenant: str, file_id: str) -> FileRecord: ...

    async def page(self, tenant: str, query: FileQuery) -> FilePage: ...

    def read(self, record: FileRecord) -> AsyncGenerator[bytes, None]: ...

    async def delete(self, tenant: str, file_id: str) -> None: ...


class FileRoutes:
    """`/v1/files` and what is below it. A caller sees its own tenant's files.

    Args:
        admit: admits the caller of an exchange.
        known: who a caller is that comes back for what it has stored.
    """

    def __init__(
        self,
        *,
        admit: Callable[[Exchange], Awaitable[Identity]],
        known: Callable[[Exchange], Identity],
        files: Stored,
    ) -> None:
        self._admit = admit
        self._known = known
        self._files = files

    def routes(self) -> list[Route]:
        one = "/v1/files/{id}"
        return [
            Route("POST", "/v1/files", kept(self.upload)),
            Route("GET", "/v1/files", kept(self.list)),
            Route("GET", one, kept(self.show)),
            Route("DELETE", one, kept(self.delete)),
            Route("GET", f"{one}/content", kept(self.content)),
        ]

    async def upload(self, exchange: Exchange) -> None:
        """POST /v1/files: a form with `file`, `purpose` and perhaps `expires_after`."""
        tenant = (await self._admit(exchange)).tenant
        limits = self._files.policy
        form = Form(exchange.header(b"content-type"))
        async with self._files.receive(tenant) as incoming:
            upload = Upload(form, "file", incoming.write)
            parts = exchange.parts(limits.max_file_bytes + FORM_BYTES)
            uploaded = await upload.take(parts, limits.upload_s)
            terms = wire.upload_terms(uploaded.fields)
            record = await incoming.keep(
                filename=uploaded.filename or "upload",
                purpose=terms.purpose,
                expires_at=self._files.expiry(terms.expire_s),
            )
        await exchange.answer_json(200, wire.shown(record))

    async def list(self, exchange: Exchange) -> None:
        """GET /v1/files?purpose=&limit=&order=&after="""
        tenant = self._known(exchange).tenant
        page = await self._files.page(tenant, wire.decode_query(exchange.query))
        await exchange.answer_json(200, wire.listed(page))

    async def show(self, exchange: Exchange) -> None:
        """GET /v1/files/{id}"""
        await exchange.answer_json(200, wire.shown(await self._named(exchange)))

    async def delete(self, exchange: Exchange) -> None:
        """DELETE /v1/files/{id}"""
        record = await self._named(exchange)
        await self._files.delete(record.tenant, record.id)
        await exchange.answer_json(200, wire.deleted(record.id))

    async def content(self, exchange: Exchange) -> None:
        """GET /v1/files/{id}/content: the bytes, as they were stored."""
        record = await self._named(exchange)
        headers: Headers = [
            (b"content-type", b"application/octet-stream"),
            # What somebody uploaded is never a page of ours.
            (b"content-disposition", b"attachment"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await exchange.answer_pieces(self._files.read(record), record.bytes, headers)

    async def _named(self, exchange: Exchange) -> FileRecord:
        """The file that the path names.

        Raises:
            NotFound: its caller has none of that name.
        """
        tenant = self._known(exchange).tenant
        file_id = exchange.params["id"]
        if _FILE_ID.fullmatch(file_id) is None:
            raise NotFound(f"There is no file {file_id[:80]!r}", param="id", code="file_not_found")
        return await self._files.get(tenant, file_id)
