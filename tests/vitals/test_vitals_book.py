from __future__ import annotations

import random

import pytest

from serve_app.core.clock import FakeClock
from serve_app.vitals.book import ASK_AGAIN_S, Vitals
from serve_app.vitals.breaker import FAILURES, OPEN_S


def test_each_model_of_a_backend_has_vitals_of_its_own() -> None:
    vitals = Vitals(FakeClock())
    assert vitals.of("a", "m") is vitals.of("a", "m")
    assert vitals.of("a", "m") is not vitals.of("a", "n")


class Others:
    """The other replicas, as a test wants them."""

    def __init__(self, claim: bool | Exception) -> None:
        self.claim = claim
        self.asked: list[tuple[str, str]] = []
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1

    async def claim_probe(self, backend: str, model: str) -> bool:
        self.asked.append((backend, model))
        if isinstance(self.claim, Exception):
            raise self.claim
        return self.claim


def half_open(claim: bool | Exception) -> tuple[Vitals, FakeClock, Others]:
    """A book in which `a/m` may be probed."""
    clock, others = FakeClock(), Others(claim)
    vitals = Vitals(clock)
    vitals.share(others)
    for _ in range(FAILURES):
        vitals.of("a", "m").breaker.failed()
    clock.advance(OPEN_S)
    return vitals, clock, others


async def test_others_are_asked_for_a_probe_and_for_nothing_else() -> None:
    vitals, _, others = half_open(claim=True)
    assert await vitals.may_try("a", "n")
    assert others.asked == []
    assert [await vitals.may_try("a", "m") for _ in range(3)] == [True, False, False]
    assert others.asked == [("a", "m")]


async def test_while_another_probes_this_one_waits_and_asks_again() -> None:
    vitals, clock, others = half_open(claim=False)
    assert not await vitals.may_try("a", "m")
    assert not await vitals.may_try("a", "m")
    assert len(others.asked) == 1
    clock.advance(ASK_AGAIN_S)
    others.claim = True
    assert await vitals.may_try("a", "m")


async def test_a_claim_that_fails_keeps_no_probe() -> None:
    vitals, _, others = half_open(claim=RuntimeError("no"))
    with pytest.raises(RuntimeError, match="no"):
        await vitals.may_try("a", "m")
    others.claim = True
    assert await vitals.may_try("a", "m")


async def test_alone_this_process_decides() -> None:
    vitals, _, others = half_open(claim=False)
    vitals.share(None)
    assert [await vitals.may_try("a", "m") for _ in range(2)] == [True, False]
    assert others.asked == []


def test_others_are_told_of_what_changes_at_once() -> None:
    vitals, _, others = half_open(claim=True)
    assert others.changes == 1
    vital = vitals.of("a", "m")
    vital.breaker.succeeded()
    vital.away = vital.down = "gone"
    vital.away = vital.down = "gone"
    assert others.changes == 4


def test_readings_are_of_every_model() -> None:
    vitals = Vitals(FakeClock(), random.Random(1))
    vitals.of("a", "m").began()
    vitals.of("b", "n")
    assert [(b, m, r.running) for b, m, r in vitals.readings()] == [("a", "m", 1), ("b", "n", 0)]
