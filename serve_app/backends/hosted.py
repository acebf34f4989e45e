"""A provider's API somewhere else, in whichever dialect it speaks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal

from serve_app import __version__
from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.backends.dialects.base import MALFORMED, Dialect
from serve_app.backends.dialects.unstreamed import as_stream
from serve_app.backends.http import Client, Response
from serve_app.backends.key import Key
from serve_app.backends.keys import ProviderKeys
from serve_app.backends.limits import Limits
from serve_app.backends.refusal import CONTEXT, Refusal, failure, failure_inside, read_refusal
from serve_app.backends.reply import ReplyStream
from serve_app.backends.retry_after import asked_pause_s
from serve_app.backends.secret import Secret, SecretHeaders
from serve_app.config.backend_settings import HostedBackend
from serve_app.core.clock import Clock
from serve_app.core.types import Chunk
from serve_app.core.vital import Headroom

MAX_REFUSAL_BYTES = 64 << 10

MAX_REQUEST_ID = 200

FAILURE_AGE_S = 30.0
"""A failure older than this says nothing about now; without it, a gateway that takes no traffic
because its backend failed would never find out that the backend is well again."""


class Hosted:
    """One hosted backend."""

    def __init__(
        self, settings: HostedBackend, keys: ProviderKeys, dialect: Dialect, clock: Clock
    ) -> None:
        self.name = settings.name
        self._keys = keys
        self._dialect = dialect
        self._clock = clock
        self._limits = Limits(clock)
        self._failed_at = float("-inf")
        self._failed_with = ""
        self.tells_trace = settings.trace
        self._client = Client(settings.base_url, settings.timeouts, settings.max_connections)

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        """See `Backend.run`."""
        body = self._dialect.body(call)
        key = self._keys.take(call.model)
        try:
            response = await self._client.post(
                self._dialect.path(call),
                body,
                self._headers(call, key),
                call.timeout_s,
                stream=call.stream,
            )
            try:
                self._limits.note(key, call.model, response.headers)
                reply = await self._opened(call, response, key)
                if isinstance(reply, ReplyStream):
                    while batch := await reply.next(response):
                        yield batch
                else:
                    yield reply
                response.finish()
            finally:
                response.close()
            self._failed_at = float("-inf")
        except AttemptFailed as failed:
            raise self._judged(failed, call, key)  # noqa: B904 - it is the same error, mostly

    async def _opened(
        self, call: Call, response: Response, key: Key | None
    ) -> ReplyStream | list[Chunk]:
        """The reply, going by its head: as a stream, or all of it.

        Raises:
            AttemptFailed: it is a refusal, or not what was asked for.
        """
        secret = _secret(key)
        if response.status != 200:
            raise await self._refused(response, secret)
        self._keys.worked(key)
        form = _form(response.headers.get("content-type", ""))
        if form == "json" and call.stream:
            return await self._unstreamed(call, response, secret)
        if call.stream and form in ("stream", "unclear"):
            return ReplyStream(self._dialect.decoder(call, secret), call.choices)
        if not call.stream and form in ("json", "unclear"):
            return [self._dialect.whole(call, await response.body(), secret)]
        raise AttemptFailed(
            "transient", f"the provider sent a {form}, which was not asked for",
            status=200, code=MALFORMED,
        )  # fmt: skip

    async def _refused(self, response: Response, secret: Secret | None) -> AttemptFailed:
        asked_s = asked_pause_s(response.headers, self._clock.wall())
        refusal = await _read_refusal(response)
        return failure(response.status, refusal, secret=secret, retry_after_s=asked_s)

    async def _unstreamed(
        self, call: Call, response: Response, secret: Secret | None
    ) -> list[Chunk]:  # fmt: skip
        """A stream was asked for and JSON came: an error, or all of a reply at once."""
        body = await response.body()
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret)
        return as_stream(self._dialect.whole(call, body, secret))

    def _headers(self, call: Call, key: Key | None) -> SecretHeaders:
        headers = SecretHeaders(self._dialect.headers(_secret(key)))
        headers["Content-Type"] = "application/json"
        headers["Accept"] = "text/event-stream" if call.stream else "application/json"
        headers["Accept-Encoding"] = "identity"  # unpacking costs more than the few bytes saved
        headers["User-Agent"] = _USER_AGENT
        id_ = call.request_id
        if len(id_) <= MAX_REQUEST_ID and id_.isascii() and id_.isprintable():
            headers["X-Request-Id"] = id_
        if self.tells_trace and call.trace is not None:
            headers.update(call.trace.headers())
        return headers

    def _judged(self, failed: AttemptFailed, call: Call, key: Key | None) -> AttemptFailed:
        """The failure as it is with our other keys, and with what we added to the request."""
        if failed.kind == "caller" and call.prefix:  # it may be the prefix that is refused
            failed = failed.meaning("candidate")
        else:
            failed = self._keys.judge(key, call.model, failed)
        if failed.kind not in ("caller", "content") and failed.code != CONTEXT:
            self._failed_at = self._clock.monotonic()
            self._failed_with = str(failed)
        return failed

    def headroom(self, model: str) -> Headroom | None:
        """What the best of our keys has left; see `Limits.of`."""
        return self._limits.of(model, self._keys.usable() or [None])

    async def health(self) -> Health:
        """What the last call said, forgotten after `FAILURE_AGE_S`, and how the keys are."""
        says = [self._keys.trouble()]
        fails = self._clock.monotonic() - self._failed_at < FAILURE_AGE_S
        if fails:
            says.insert(0, f"the last call failed: {self._failed_with}")
        refused = self._keys.are_refused
        return Health(not (fails or refused), ", ".join(filter(None, says)), refused)

    async def close(self) -> None:
        await self._client.close()


_USER_AGENT = f"serve-app/{__version__}"


def _secret(key: Key | None) -> Secret | None:
    return None if key is None else key.secret


def _form(type_: str) -> Literal["stream", "json", "web page", "unclear"]:
    """What an answer is, going by its type. Some providers send streams as plain text."""
    if "event-stream" in type_:
        return "stream"
    if "json" in type_:
        return "json"
    return "web page" if "html" in type_ else "unclear"


async def _read_refusal(response: Response) -> Refusal | None:
    try:
        return read_refusal(await response.body(MAX_REFUSAL_BYTES))
    except AttemptFailed:  # too long or cut: the status has to say enough
        return None
