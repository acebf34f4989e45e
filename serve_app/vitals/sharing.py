"""Replicas tell each other through Redis how the backends do: one exchange every 0.4 s.

An exchange is one call of one script: this replica's changed breakers and figures go in, all
breakers and the others' figures come out. Redis puts the changes in order (each state of a
breaker has a version, a change says which one it follows on) and keeps the time: milliseconds
that remain travel, never a replica's clock. Without Redis every replica acts on what it sees.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from serve_app.core.clock import Clock
from serve_app.store import keys
from serve_app.store.client import Argument, Store, StoreUnavailable
from serve_app.vitals.book import Vitals
from serve_app.vitals.breaker import OPEN_S
from serve_app.vitals.summary import Summary, merged
from serve_app.vitals.vital import Vital

log = logging.getLogger(__name__)

INTERVAL_S: Final = 0.4

GAP_S: Final = 0.02
"""Least time between two exchanges, however much happens."""

FIGURES_S: Final = 10.0
"""How long the figures of a replica that was not heard of again count."""

BREAKERS_S: Final = 600.0
"""How long Redis remembers breakers after the last change of any: far longer than a rest."""

AFTER_BUG_S: Final = 10.0

_CLOSED: Final = -1

Change = tuple[Vital, int]
"""A breaker that changed here, and the milliseconds it stays open."""

_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(list[Summary]).decode


class Sharing:
    """Keeps a book in step with those of the other replicas.

    A process that only reads (a router of its own) takes part like any other: it has nothing
    to tell.

    Args:
        replica: names this process among all of them.
    """

    def __init__(self, vitals: Vitals, store: Store, replica: str, clock: Clock) -> None:
        self._vitals = vitals
        self._store = store
        self._replica = replica
        self._clock = clock
        self._wake = asyncio.Event()
        self._heard_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to exchange in the background; call it in the running loop."""
        if self._task is None:
            self._vitals.share(self)
            self._task = asyncio.get_running_loop().create_task(self._run(), name="vitals")

    async def close(self) -> None:
        """Stop, and take what this replica said back."""
        if self._task is None:
            return
        task, self._task = self._task, None
        self._vitals.share(None)
        task.cancel()
        await asyncio.wait([task])
        with suppress(StoreUnavailable):
            await self._store.pipeline([("HDEL", keys.vitals("figures"), self._replica)])

    def changed(self) -> None:
        """See `Peers.changed`: the others hear of it at once, not at the next tick."""
        self._wake.set()

    async def claim_probe(self, backend: str, model: str) -> bool:
        """See `Peers.claim_probe`. Without Redis every replica has a probe of its own."""
        lease = keys.probe(backend, model)
        try:
            _, holder = await self._store.pipeline(
                [
                    ("SET", lease, self._replica, "NX", "PX", int(OPEN_S * 1000)),
                    ("GET", lease),
                ]
            )
        except StoreUnavailable:
            return True
        # Ours from before, if the caller of that probe left: this process gives it out once.
        return bool(holder == self._replica.encode())

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self.exchange()
            except Exception:  # the loop must live on, and the mistake be seen
                log.exception("vitals could not be exchanged")
                await asyncio.sleep(AFTER_BUG_S)
            await asyncio.sleep(GAP_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S - GAP_S):
                    await self._wake.wait()

    async def exchange(self) -> bool:
        """Tell and hear once; False if Redis is away."""
        changes = _take_news(self._vitals)
        try:
            breakers, figures = await self._store.script(
                "vitals",
                [
                    keys.vitals("breakers"),
                    keys.vitals("figures"),
                    *(keys.probe(vital.backend, vital.model) for vital, _ in changes),
                ],
                [*self._said(), *_told(changes)],
            )
        except BaseException as error:
            for vital, _ in changes:
                vital.breaker.is_news = True
            if not isinstance(error, StoreUnavailable):
                raise
            self._forget_silent()
            return False
        self._heard_at = self._clock.monotonic()
        self._take_breakers(breakers)
        self._take_figures(figures)
        return True

    def _said(self) -> list[Argument]:
        summaries = [vital.summary() for vital in self._vitals]
        known = [summary for summary in summaries if summary.says_something()]
        return [
            self._replica,
            _encode(known) if known else b"",
            int(FIGURES_S * 1000),
            int(BREAKERS_S * 1000),
        ]

    def _take_breakers(self, breakers: Iterable[tuple[bytes, bytes, int]]) -> None:
        for name, version, left_ms in breakers:
            vital = self._vitals.of(*_split(name))
            if version == vital.version:
                continue
            vital.version = version
            # What changed here meanwhile is the newer; it follows on this version.
            if not vital.breaker.is_news:
                vital.breaker.told(is_open=left_ms != _CLOSED, left_s=left_ms / 1000.0)

    def _take_figures(self, figures: Iterable[bytes]) -> None:
        by_model: dict[tuple[str, str], list[Summary]] = {}
        for said in figures:
            with suppress(msgspec.MsgspecError):  # of a replica of another version
                for summary in _decode(said):
                    by_model.setdefault((summary.backend, summary.model), []).append(summary)
        for backend, model in by_model:
            self._vitals.of(backend, model)
        for vital in self._vitals:
            told = by_model.get((vital.backend, vital.model))
            vital.heard(merged(told) if told else None)

    def _forget_silent(self) -> None:
        if self._clock.monotonic() - self._heard_at > FIGURES_S:
            for vital in self._vitals:
                vital.heard(None)


def _take_news(vitals: Iterable[Vital]) -> list[Change]:
    """The changes to be told. Their marks go now, so that a further one is not missed."""
    changes: list[Change] = []
    for vital in vitals:
        breaker = vital.breaker
        if not breaker.is_news:
            continue
        breaker.is_news = False
        left_ms = round(breaker.left_s() * 1000) if breaker.is_open else _CLOSED
        if left_ms:  # an opening that could not be told before its rest was over is no news
            changes.append((vital, left_ms))
    return changes


def _told(changes: Sequence[Change]) -> list[Argument]:
    args: list[Argument] = []
    for vital, left_ms in changes:
        args += [f"{vital.backend}/{vital.model}", vital.version, left_ms]
    return args


def _split(name: bytes) -> tuple[str, str]:
    """A model's name in Redis; a backend's has no slash."""
    backend, _, model = name.decode().partition("/")
    return backend, model
