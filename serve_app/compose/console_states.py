"""How each model is at this moment, as this process knows: no call is made to find out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec.structs import asdict

from serve_app.backends.base import Backend, Health
from serve_app.backends.local_vllm import LocalVLLM
from serve_app.console.window import Known
from serve_app.core.vital import Reading
from serve_app.vitals.book import Vitals

_LIMIT_S: Final = 1.0
"""A backend that is elsewhere may not answer."""


class States:
    """Makes a row for each model."""

    def __init__(
        self, known: Sequence[Known], vitals: Vitals, backends: Mapping[str, Backend]
    ) -> None:
        self._known = known
        self._vitals = vitals
        self._backends = backends

    async def __call__(self) -> list[dict[str, Any]]:
        names = list(self._backends)
        told = await asyncio.gather(*(_health(self._backends[name]) for name in names))
        healths = dict(zip(names, told, strict=True))
        read = {(backend, model): one for backend, model, one in self._vitals.readings()}
        return [
            self._row(
                one,
                read.get((one.backend, one.model), Reading()),
                healths.get(one.backend) or Health(ok=True),
            )
            for one in self._known
        ]

    def _row(self, one: Known, reading: Reading, health: Health) -> dict[str, Any]:
        figures = asdict(reading)
        del figures["away"], figures["is_open"]
        return {
            "backend": one.backend,
            "model": one.model,
            "local": one.local,
            "state": _state(one, reading, health),
            "why": one.off or reading.away or health.detail,
            **figures,
            "queue": self._queue(one.backend),
        }

    def _queue(self, name: str) -> dict[str, Any] | None:
        backend = self._backends.get(name)
        if not isinstance(backend, LocalVLLM):
            return None
        queue = backend.queue()
        return {"running": queue.running, "waiting": dict(queue.waiting)}


async def _health(backend: Backend) -> Health | None:
    try:
        async with asyncio.timeout(_LIMIT_S):
            return await backend.health()
    except TimeoutError:
        return None


def _state(one: Known, reading: Reading, health: Health) -> str:
    """The worst that is so; the metrics tell the same."""
    if one.off:
        return "off"
    if health.key_refused:
        return "key_refused"
    if reading.away:
        return "away"
    return "open" if reading.is_open else "ok"
