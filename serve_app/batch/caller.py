"""Rows through the running gateway, as one of its callers: politely, patiently, in order of need.

Every request says that it belongs to a batch, so that people's come first; a refusal for load or
a limit holds all rows for as long as it says; what is nobody's fault is tried again.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from serve_app.batch.order import Order
from serve_app.batch.pause import Pause
from serve_app.batch.replies import Refusal, read_answer, read_refusal
from serve_app.batch.results import Result
from serve_app.core.clock import Clock

PATH: Final = "/v1/chat/completions"
_LONGEST_BACKOFF_S: Final = 30.0
_LONGEST_WORD_S: Final = 300.0
"""A longer `Retry-After` is asked again after this."""
_HOLDS_ALL: Final = frozenset({429, 503})
"""Statuses that are about all rows, not about this one."""
_TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRIES_OF_500: Final = 4
"""An internal error that comes back is about the row."""
_HOPELESS: Final = frozenset(
    {
        "invalid_api_key",
        "missing_api_key",
        "key_disabled",
        "key_expired",
        "budget_exceeded",
        "insufficient_quota",
        "model_not_found",
        "model_not_allowed",
        "route_not_allowed",
    }
)
"""Codes of refusals that every further row would get as well."""


class Hopeless(Exception):
    """No further row would be answered; the message says why."""


class Terms(Struct, frozen=True):
    """What is the same for all requests."""

    url: str
    key: str
    fields: dict[str, Any]
    """Of the body, besides the messages."""
    timeout_s: float
    patience_s: float

    @classmethod
    def of(cls, order: Order, key: str) -> Terms:
        fields: dict[str, Any] = {"model": order.model, "temperature": order.temperature}
        if order.max_tokens is not None:
            fields["max_tokens"] = order.max_tokens
        url = order.url.rstrip("/").removesuffix("/v1")
        return cls(url, key, fields | order.params, order.timeout_s, order.patience_s)


class Caller:
    """Gets rows answered.

    Args:
        session: without limits of its own.
        pause: of all callers of this process.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        terms: Terms,
        pause: Pause,
        clock: Clock,
        lot: random.Random,
    ) -> None:
        self._session = session
        self._terms = terms
        self._pause = pause
        self._clock = clock
        self._lot = lot
        self._url = terms.url + PATH
        self._headers = {"content-type": "application/json", "x-serve-app-priority": "batch"}
        if terms.key:
            self._headers["authorization"] = f"Bearer {terms.key}"

    async def answer(self, row: int, messages: bytes) -> Result:
        """The row's result, an error among them if it was the row's own fault or did not pass.

        Raises:
            Hopeless: the key, the budget or the model is refused, nobody answers there, or a
                limit holds for longer than the patience lasts.
        """
        body = msgspec.json.encode({**self._terms.fields, "messages": msgspec.Raw(messages)})
        give_up_at = self._clock.monotonic() + self._terms.patience_s
        for attempt in itertools.count():
            await self._pause.over()
            said = await self._ask(row, body)
            if isinstance(said, Result):
                return said
            if said.code in _HOPELESS:
                raise Hopeless(f"{said.code}: {said.message}")
            wait_s = self._wait_s(said, attempt)
            if self._is_own_fault(said, attempt) or self._clock.monotonic() + wait_s > give_up_at:
                return self._given_up(row, said)
            if said.status in _HOLDS_ALL:
                self._pause.ask(wait_s)
            else:
                await asyncio.sleep(wait_s)
        raise AssertionError

    async def _ask(self, row: int, body: bytes) -> Result | Refusal:
        began = self._clock.wall()
        try:
            async with self._session.post(self._url, data=body, headers=self._headers) as answer:
                content = await answer.read()
                if answer.status != 200:
                    is_transient = answer.status in _TRANSIENT
                    return read_refusal(answer.status, answer.headers, content, is_transient)
                return read_answer(row, answer.headers, content, began, self._clock.wall())
        except TimeoutError:
            return Refusal(0, "timeout", f"no answer in {self._terms.timeout_s:.0f} s", True)
        except aiohttp.ClientError as error:
            return Refusal(0, "unreachable", f"{type(error).__name__}: {error}", True)

    @staticmethod
    def _is_own_fault(said: Refusal, attempt: int) -> bool:
        """The row's, as far as can be told."""
        is_stubborn = said.status == 500 and attempt + 1 >= _TRIES_OF_500
        return not said.is_transient or is_stubborn

    def _wait_s(self, said: Refusal, attempt: int) -> float:
        if said.retry_after_s is not None:
            return min(said.retry_after_s, _LONGEST_WORD_S)
        backoff: float = min(_LONGEST_BACKOFF_S, 0.5 * 2 ** min(attempt, 10))
        return backoff * (0.5 + self._lot.random())

    def _given_up(self, row: int, said: Refusal) -> Result:
        if said.code == "unreachable":
            raise Hopeless(f"{self._terms.url} does not answer: {said.message}")
        if said.status in _HOLDS_ALL:
            raise Hopeless(f"the gateway takes no more for now: {said.code}: {said.message}")
        return Result(row, kind=said.code, message=said.message, request_id=said.request_id)
