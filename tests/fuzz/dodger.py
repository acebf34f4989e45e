"""Who tries to get more out of a key than it allows, and what came of it."""

from __future__ import annotations

import json
import time
from itertools import count
from typing import Any

from fuzz_house import Running
from provider.fixtures import ScriptedProvider
from raw_http import Answer, exchange, request

RPM = 5
"""Of a key with a limit of requests."""
JSON = (b"Content-Type", b"application/json")
Headers = list[tuple[bytes, bytes]]


class Dodger:
    """Who has a key with a limit, and what was done with it."""

    def __init__(self, name: str, house: Running, provider: ScriptedProvider) -> None:
        self.key = f"sk-{name}"
        self.word = f"word-{name}-"
        self._house = house
        self._provider = provider
        self._numbers = count()
        self._began: float | None = None
        self.good = 0
        """Requests that were answered well."""

    @property
    def bearer(self) -> tuple[bytes, bytes]:
        return b"Authorization", f"Bearer {self.key}".encode()

    def body(self, path: str) -> dict[str, Any]:
        """A good body for a route, with a prompt that is in no cache."""
        text = f"{self.word}{next(self._numbers)} hello"
        chat = {"model": "ok", "max_tokens": 20, "messages": [{"role": "user", "content": text}]}
        bodies: dict[str, dict[str, Any]] = {
            "/v1/completions": {"model": "ok", "prompt": text},
            "/v1/embeddings": {"model": "vec", "input": text},
            "/agent/chat": {"model": "ok", "message": text},
            "/v1/cache/warm": {"request": chat},
        }
        return bodies.get(path, chat)

    def ask(
        self,
        path: str = "/v1/chat/completions",
        *,
        headers: Headers | None = None,
        written: bytes = b"",
        **more: Any,
    ) -> Answer:
        """One request; `written` is the path in another way, `headers` stand for the key's."""
        self.begin()
        body = json.dumps({**self.body(path), **more}).encode()
        given = [self.bearer] if headers is None else headers
        answer = exchange(self._house.port, request(written or path.encode(), body, [JSON, *given]))
        assert answer is not None
        assert answer.status < 500, answer
        self.good += answer.status == 200
        return answer

    def begin(self) -> None:
        self._began = self._began or time.monotonic()

    def asked(self) -> int:
        """Requests that the provider has seen."""
        return sum(self.word in str(entry["body"]) for entry in self._provider.log())

    @property
    def allowed(self) -> int:
        """A full bucket, and what has run into it since."""
        assert self._began is not None
        return RPM + int((time.monotonic() - self._began) * RPM / 60)

    def assert_held(self) -> None:
        """The limit was reached, and not overrun."""
        assert RPM <= self.good <= self.allowed, f"{self.good} were answered"
        assert (asked := self.asked()) <= self.allowed, f"the provider was asked {asked} times"

    def spent_micro_usd(self) -> int:
        """What the ledger says, once nothing is held for requests under way."""
        until = time.monotonic() + 20
        while True:
            usage = exchange(self._house.port, request(b"/v1/usage", b"", [self.bearer], b"GET"))
            assert usage is not None
            [budget] = usage.json["budgets"]
            if float(budget["held_usd"]) == 0:
                return round(float(budget["spent_usd"]) * 1_000_000)
            assert time.monotonic() < until, budget
            time.sleep(0.05)


def key_forms(key: str) -> list[Headers]:
    """Headers that hold the same key."""
    raw = key.encode()
    return [
        [(b"Authorization", b"Bearer " + raw)], [(b"authorization", b"bearer " + raw)],
        [(b"AUTHORIZATION", b"BEARER " + raw)], [(b"Authorization", b"  Bearer    " + raw + b"  ")],
        [(b"x-api-key", raw)], [(b"X-API-KEY", b" " + raw + b"\t")],
        [(b"Authorization", b"Basic eDp5"), (b"x-api-key", raw)],
        [(b"Authorization", b"Bearer"), (b"x-api-key", raw)],
        [(b"Authorization", b"Bearer " + raw), (b"x-api-key", raw)],
        [(b"Authorization", b"Bearer sk-unknown"), (b"Authorization", b"Bearer " + raw)],
        [(b"x-api-key", b"sk-unknown"), (b"x-api-key", raw)],
    ]  # fmt: skip
