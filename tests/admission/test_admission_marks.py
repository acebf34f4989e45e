"""Budgets that are nearly spent, as the metrics hear of them."""

from __future__ import annotations

import pytest

from serve_app.admission.marks import KEPT_S, MAX_MARKS, BudgetMarks
from serve_app.core.clock import FakeClock
from serve_app.core.limits import Allowance, Scope, Used

MIDNIGHT = 1_760_054_400.0
"""2025-10-10, UTC."""


def scope(who: str = "tenant=acme", **limits: int) -> Scope:
    allowance = Allowance(**{"day": 1000, "month": 10_000, **limits})
    return Scope("per tenant", f"state {who}", "holds", allowance, allowance.packed(), who)


def test_a_budget_above_its_soft_mark_is_known_until_it_is_below() -> None:
    clock = FakeClock(MIDNIGHT - 40_000)
    marks, acme = BudgetMarks(clock), scope()
    marks.hear([acme], [Used(day=799)])
    assert marks.marks() == []
    marks.hear([acme], [Used(day=700, held=100)])
    assert marks.marks() == [("per tenant", "tenant=acme", "day", 0.8)]
    marks.hear([acme], [Used(day=850, month=9000)])
    assert marks.marks() == [
        ("per tenant", "tenant=acme", "day", 0.85), ("per tenant", "tenant=acme", "month", 0.9)
    ]  # fmt: skip
    marks.hear([acme], [Used(day=0, month=9000)])
    assert [period for _, _, period, _ in marks.marks()] == ["month"]


def test_it_is_forgotten_after_a_while_and_with_its_day() -> None:
    clock = FakeClock(MIDNIGHT - 100)
    marks, acme = BudgetMarks(clock), scope()
    marks.hear([acme], [Used(day=900, month=9000)])
    clock.advance(101)
    assert [period for _, _, period, _ in marks.marks()] == ["month"]
    clock.advance(KEPT_S)
    assert marks.marks() == []
    assert not marks


def test_a_budget_that_refuses_counts_as_spent_for_a_while() -> None:
    clock = FakeClock(MIDNIGHT - 40_000)
    marks, acme = BudgetMarks(clock), scope()
    marks.hear([acme], [Used(day=950)])
    marks.refused(acme, "day")
    marks.hear([acme], [Used(day=960)])
    assert marks.marks()[0][3] == 1.0
    clock.advance(121)
    marks.hear([acme], [Used(day=960)])
    assert marks.marks()[0][3] == pytest.approx(0.96)


def test_they_are_bounded() -> None:
    clock = FakeClock(MIDNIGHT - 40_000)
    marks = BudgetMarks(clock)
    for n in range(MAX_MARKS + 10):
        marks.hear([scope(f"user={n}")], [Used(day=900)])
    assert len(marks.marks()) == MAX_MARKS
    clock.advance(KEPT_S + 1)
    marks.hear([scope("user=new")], [Used(day=900)])
    assert [name for _, name, _, _ in marks.marks()] == ["user=new"]
