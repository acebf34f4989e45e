from __future__ import annotations

from serve_app.core.clock import FakeClock
from serve_app.core.plan import Candidate
from serve_app.steps.question import Warmth


def candidate(name: str) -> Candidate:
    backend, model = name.split("/")
    return Candidate(backend, model, "test", 4096)


def test_a_conversation_knows_who_answered_it_last() -> None:
    warmth = Warmth(FakeClock())
    warmth.note("c1", candidate("a/m"))
    warmth.note("c1", candidate("b/m"))
    assert warmth.of("c1") == "b/m"
    assert warmth.of("c2") == ""


def test_a_prompt_grows_cold() -> None:
    clock = FakeClock()
    warmth = Warmth(clock, age_s=600)
    warmth.note("c1", candidate("a/m"))
    clock.advance(600)
    assert warmth.of("c1") == "a/m"
    clock.advance(1)
    assert warmth.of("c1") == ""


def test_only_so_many_are_remembered_the_newest() -> None:
    warmth = Warmth(FakeClock(), limit=2)
    for name in ("c1", "c2", "c1", "c3"):
        warmth.note(name, candidate("a/m"))
    assert [warmth.of(name) for name in ("c1", "c2", "c3")] == ["a/m", "", "a/m"]


def test_what_belongs_to_no_conversation_is_not_remembered() -> None:
    warmth = Warmth(FakeClock())
    warmth.note("", candidate("a/m"))
    assert warmth.of("") == ""
