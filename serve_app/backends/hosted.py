"""A provider's API somewhere else, in whichever dialect it speaks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple

from serve_app import __version__
from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.backends.dialects.base import Dialect
from serve_app.backends.headroom import read_headroom
from serve_app.backends.http import Client, Response
from serve_app.backends.keys import QUOTA_REST_S, Key, ProviderKeys
from serve_app.backends.refusal import (
    AUTH,
    CONTEXT,
    QUOTA,
    Refusal,
    failure,
    failure_inside,
    read_refusal,
    read_retry_after,
)
from serve_app.backends.reply import MALFORMED, ReplyStream, as_events
from serve_app.config.structure import HostedBackend
from serve_app.core.clock import Clock
from serve_app.core.types import Chunk, Headroom

MAX_REFUSAL_BYTES = 64 << 10

MAX_REQUEST_ID = 200

FAILURE_AGE_S = 30.0
"""A failure older than this says nothing about now; without it, a gateway that takes no traffic
because its backend failed would never find out that the backend is well again."""


class _Seen(NamedTuple):
    headroom: Headroom
    at: float


class Hosted:
    """One hosted backend."""

    def __init__(
        self, settings: HostedBackend, keys: ProviderKeys, dialect: Dialect, clock: Clock
    ) -> None:
        self.name = settings.name
        self._keys = keys
        self._dialect = dialect
        self._clock = clock
        self._headroom: dict[str, _Seen] = {}
        self._failed_at = float("-inf")
        self._failed_with = ""
        self._client = Client(settings.base_url, settings.timeouts, settings.max_connections)

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        """See `Backend.run`."""
        key: Key | None = None
        try:
            key = self._keys.take()
            body = self._dialect.body(call)
            response = await self._client.post(
                self._dialect.path(call),
                body,
                self._headers(call, key),
                call.timeout_s,
                stream=call.stream,
            )
            try:
                self._note_headroom(call.model, response)
                secret = _text(key)
                if (made := await self._check_head(call, response, secret)) is not None:
                    yield made
                elif call.stream:
                    reply = ReplyStream(self._dialect.decoder(call, secret), call.choices)
                    while batch := await reply.next(response):
                        yield batch
                else:
                    yield [self._dialect.whole(call, await response.body(), secret)]
                response.finish()
            finally:
                response.close()
            self._failed_at = float("-inf")
        except AttemptFailed as failed:
            raise self._judged(failed, call, key) from failed.__cause__

    async def _check_head(
        self, call: Call, response: Response, secret: str | None
    ) -> list[Chunk] | None:
        """Raise unless the answer is what was asked for, going by its head. Gives the chunks of
        one that came in another form but can be used."""
        type_ = response.headers.get("Content-Type", "")
        if response.status != 200:
            raise await self._refused(response, secret)
        if type_ and ("event-stream" if call.stream else "json") not in type_:
            return await self._mistyped(call, response, type_, secret)
        return None

    async def _refused(self, response: Response, secret: str | None) -> AttemptFailed:
        after = read_retry_after(response.headers.get("Retry-After"), self._clock.wall())
        refusal = await _read_refusal(response)
        return failure(response.status, refusal, secret=secret, retry_after_s=after)

    async def _mistyped(
        self, call: Call, response: Response, type_: str, secret: str | None
    ) -> list[Chunk]:
        """A stream was asked for and JSON came: an error, or a whole reply of a provider that
        never streams; or the other way, or a proxy's page.

        Raises:
            AttemptFailed: no reply can be made of it.
        """
        if "json" in type_ and call.stream:
            body = await response.body()
            if (refusal := read_refusal(body)) is not None:
                raise failure_inside(refusal, secret=secret)
            return as_events(self._dialect.whole(call, body, secret))
        message = f"the provider sent {type_[:60]!r}, which was not asked for"
        raise AttemptFailed("transient", message, status=200, code=MALFORMED)

    # ------------------------------------------------------------------- keys

    def _judged(self, failed: AttemptFailed, call: Call, key: Key | None) -> AttemptFailed:
        """The failure as it looks with our other keys, and with what we asked for."""
        if failed.status in (401, 403) and failed.code == AUTH:
            self._keys.refuse(key)
            if not self._keys.all_refused and key is not None:
                failed = _changed(failed, kind="transient", retry_after_s=0.0)
        elif failed.code == QUOTA:
            after = self._keys.limited(key, QUOTA_REST_S)
            if after == 0.0:
                failed = _changed(failed, kind="transient", retry_after_s=0.0)
        elif failed.status == 429 and key is not None:
            after = self._keys.limited(key, failed.retry_after_s)
            failed = _changed(failed, retry_after_s=after)
        elif failed.kind == "caller" and call.prefix:
            failed = _changed(failed, kind="candidate")  # it may be our prefix that is refused
        if failed.kind not in ("caller", "content") and failed.code != CONTEXT:
            self._failed_at = self._clock.monotonic()
            self._failed_with = str(failed)
        return failed

    def _headers(self, call: Call, key: Key | None) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream" if call.stream else "application/json",
            "Accept-Encoding": "identity",  # unpacking costs more than the few bytes saved
            "User-Agent": f"serve-app/{__version__}",
            **self._dialect.headers(_text(key)),
        }
        id_ = call.request_id
        if len(id_) <= MAX_REQUEST_ID and id_.isascii() and id_.isprintable():
            headers["X-Request-Id"] = id_
        return headers

    # --------------------------------------------------------------- headroom

    def _note_headroom(self, model: str, response: Response) -> None:
        headroom = read_headroom(response.headers, self._clock.wall())
        if headroom is not None:
            self._headroom[model] = _Seen(headroom, self._clock.monotonic())

    def headroom(self, model: str) -> Headroom | None:
        """What the last answer's headers left, whichever key it had; see `Backend.headroom`."""
        seen = self._headroom.get(model)
        if seen is None:
            return None
        left_s = seen.headroom.resets_in_s - (self._clock.monotonic() - seen.at)
        if left_s <= 0:
            del self._headroom[model]
            return None
        return Headroom(seen.headroom.requests_left, seen.headroom.tokens_left, left_s)

    # ----------------------------------------------------------------- health

    async def health(self) -> Health:
        """What the last call said, forgotten after `FAILURE_AGE_S`, and how the keys are."""
        keys = self._keys.state()
        if self._keys.all_refused:
            return Health(False, keys)
        if self._clock.monotonic() - self._failed_at < FAILURE_AGE_S:
            failed = f"the last call failed: {self._failed_with}"
            return Health(False, f"{failed}; {keys}" if keys else failed)
        return Health(True, keys)

    async def close(self) -> None:
        await self._client.close()


def _text(key: Key | None) -> str | None:
    return None if key is None else key.text()


def _changed(failed: AttemptFailed, **changes: object) -> AttemptFailed:
    fields: dict[str, object] = {
        "status": failed.status,
        "code": failed.code,
        "param": failed.param,
        "retry_after_s": failed.retry_after_s,
    }
    kind = changes.pop("kind", failed.kind)
    made = AttemptFailed(kind, failed.message, **{**fields, **changes})  # type: ignore[arg-type]
    made.__cause__ = failed.__cause__
    return made


async def _read_refusal(response: Response) -> Refusal | None:
    try:
        return read_refusal(await response.body(MAX_REFUSAL_BYTES))
    except AttemptFailed:  # too long or cut: the status has to say enough
        return None
