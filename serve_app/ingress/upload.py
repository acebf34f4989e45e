"""Takes an uploaded form: its fields checked, its one file written while it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from msgspec import Struct

from serve_app.core.errors import BadRequest, RequestTimeout
from serve_app.wire.form import Event, Field, FileBegins, Form, Piece

FORM_BYTES: Final = 128 * 1024
"""What a form may have besides its file."""


class Uploaded(Struct, frozen=True):
    """A form that has come to its end."""

    fields: dict[str, str]
    filename: str


class Upload:
    """Reads one form with one file.

    Args:
        form: reads the body.
        file_field: the field that the file must be in.
        write: told of each piece of the file.
    """

    def __init__(self, form: Form, file_field: str, write: Callable[[bytes], Awaitable[None]]):
        self._form = form
        self._file_field = file_field
        self._write = write
        self._fields: dict[str, str] = {}
        self._filename: str | None = None

    async def take(self, parts: AsyncIterator[bytes], limit_s: float) -> Uploaded:
        """Read a body to its end.

        Raises:
            BadRequest: it is no such form.
            RequestTimeout: it takes longer than `limit_s` seconds.
        """
        try:
            async with asyncio.timeout(limit_s), aclosing(parts) as closing:  # type: ignore[type-var]
                async for part in closing:
                    for event in self._form.feed(part):
                        await self._take(event)
        except TimeoutError:
            raise RequestTimeout(f"The upload took longer than {limit_s:g} s") from None
        self._form.end()
        if self._filename is None:
            raise BadRequest(f"The form has no file {self._file_field!r}", param=self._file_field)
        return Uploaded(self._fields, self._filename)

    async def _take(self, event: Event) -> None:
        if isinstance(event, Piece):
            await self._write(event.data)
        elif isinstance(event, FileBegins):
            self._begin(event)
        elif isinstance(event, Field):
            if event.name in self._fields:
                raise BadRequest(f"The form has {event.name!r} twice", param=event.name)
            self._fields[event.name] = event.value

    def _begin(self, file: FileBegins) -> None:
        if file.name != self._file_field:
            raise BadRequest(
                f"{file.name!r} is no file here; the file is {self._file_field!r}", param=file.name
            )
        if self._filename is not None:
            raise BadRequest("The form has more than one file", param=self._file_field)
        self._filename = file.filename
