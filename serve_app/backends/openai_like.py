"""Hosted APIs that speak OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from serve_app import __version__
from serve_app.backends.base import AttemptFailed, Call, Health
from serve_app.backends.http import Client, Response
from serve_app.backends.refusal import (
    CONTEXT,
    Refusal,
    failure,
    failure_inside,
    read_refusal,
    read_retry_after,
)
from serve_app.backends.reply import ReplyStream, decode_whole
from serve_app.config.structure import HostedBackend
from serve_app.core.clock import Clock
from serve_app.core.errors import PolicyRejected
from serve_app.core.types import Chunk, Headroom

MAX_REFUSAL_BYTES = 64 << 10

MAX_REQUEST_ID = 200

FAILURE_AGE_S = 30.0
"""A failure older than this says nothing about now; without it, a gateway that takes no traffic
because its backend failed would never find out that the backend is well again."""


class HostedOpenAI:
    """One hosted backend.

    Args:
        api_key: sent as bearer token; None for an API without keys. Never shown.

    Raises:
        PolicyRejected: the key holds what no header may hold.
    """

    def __init__(self, settings: HostedBackend, api_key: str | None, clock: Clock) -> None:
        self.name = settings.name
        self._key = _checked(api_key, settings.name)
        self._clock = clock
        self._failed_at = float("-inf")
        self._failed_with = ""
        self._client = Client(
            settings.base_url.rstrip("/") + "/chat/completions",
            _headers(self._key),
            settings.timeouts,
            settings.max_connections,
        )

    async def run(self, call: Call) -> AsyncGenerator[list[Chunk], None]:
        """See `Backend.run`."""
        try:
            response = await self._client.post(
                call.body, _call_headers(call), call.timeout_s, stream=call.stream
            )
            try:
                await self._check_head(response, call.stream)
                if call.stream:
                    reply = ReplyStream(call.choices, self._key)
                    while batch := await reply.next(response):
                        yield batch
                else:
                    yield [decode_whole(await response.body(), self._key)]
                response.finish()
            finally:
                response.close()
            self._failed_at = float("-inf")
        except AttemptFailed as failed:
            self._remember(failed)
            raise

    async def _check_head(self, response: Response, stream: bool) -> None:
        """Raise unless the answer is what was asked for, going by its head."""
        type_ = response.header("Content-Type") or ""
        if response.status != 200:
            raise await self._refused(response)
        if type_ and ("event-stream" if stream else "json") not in type_:
            raise await self._mistyped(response, type_)

    async def _refused(self, response: Response) -> AttemptFailed:
        return failure(
            response.status,
            await _read_refusal(response) or Refusal(),
            secret=self._key,
            retry_after_s=self._retry_after_s(response),
        )

    async def _mistyped(self, response: Response, type_: str) -> AttemptFailed:
        """A stream was asked for and JSON came, or the other way, or a proxy's error page."""
        refusal = await _read_refusal(response) if "json" in type_ else None
        if refusal is not None:
            return failure_inside(refusal, secret=self._key)
        message = f"the provider sent {type_[:60]!r}, which was not asked for"
        return AttemptFailed("transient", message, status=200, code="malformed")

    def _retry_after_s(self, response: Response) -> float | None:
        return read_retry_after(response.header("Retry-After"), self._clock.wall())

    def _remember(self, failed: AttemptFailed) -> None:
        if failed.kind != "caller" and failed.code != CONTEXT:
            self._failed_at = self._clock.monotonic()
            self._failed_with = str(failed)

    def headroom(self, model: str) -> Headroom | None:
        return None

    async def health(self) -> Health:
        """What the last call said; a failure is forgotten after `FAILURE_AGE_S`."""
        if self._clock.monotonic() - self._failed_at < FAILURE_AGE_S:
            return Health(False, f"the last call failed: {self._failed_with}")
        return Health(True)

    async def close(self) -> None:
        await self._client.close()


async def _read_refusal(response: Response) -> Refusal | None:
    try:
        return read_refusal(await response.body(MAX_REFUSAL_BYTES))
    except AttemptFailed:  # too long or cut: the status has to say enough
        return None


def _checked(key: str | None, backend: str) -> str | None:
    key = (key or "").strip()  # keys that come from files end with a line feed
    if not (key.isascii() and key.isprintable()):
        raise PolicyRejected(f"the key of backend {backend!r} holds characters no header may hold")
    return key or None


def _headers(key: str | None) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",  # unpacking costs more than the few bytes saved
        "User-Agent": f"serve-app/{__version__}",
    }
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return headers


def _call_headers(call: Call) -> dict[str, str]:
    headers = {"Accept": "text/event-stream" if call.stream else "application/json"}
    id_ = call.request_id
    if len(id_) <= MAX_REQUEST_ID and id_.isascii() and id_.isprintable():
        headers["X-Request-Id"] = id_
    return headers
