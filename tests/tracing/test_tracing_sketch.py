"""What a trail looks like as spans."""

from __future__ import annotations

from typing import Any

from serve_app.core.plan import Candidate, Plan
from serve_app.core.trail import Note, Trail
from serve_app.observe.observer import RequestEnd
from serve_app.tracing.sketch import Sketch
from serve_app.tracing.sketcher import Sketcher


def drawn(*notes: Note, content: bool = False, **facts: Any) -> tuple[Sketch, list[Sketch]]:
    trail = Trail("req_1")
    trail.notes += notes
    values: dict[str, Any] = {"status": 200, "duration_s": 0.1, "tenant": "acme", **facts}
    end = RequestEnd(trail, values.pop("route", "/v1/chat/completions"), **values)
    root, *below = Sketcher({"p": "openai"}, content=content).drawn(end)
    return root, below


def attempt(decision: str, at_ms: float, took_ms: float, **facts: Any) -> Note:
    given = {"backend": "p", "model": "m", "ms": took_ms, "status": 200, **facts}
    return Note("attempt", decision, at_ms, given, took_ms)


def test_stages_are_spans_and_remarks_are_events() -> None:
    plan = Plan([Candidate("p", "m", "cheapest", 8000), Candidate("q", "n", "next", 8000)])
    root, below = drawn(
        Note("admission", "admitted", 1.0, {"limits": "counted", "budget": ""}, 1.0),
        Note("input_filter", "changed", 3.0, {}, 2.0),
        Note("input_filter", "redact", 3.0, {"rule": "mail", "count": 2}),
        Note("router", "cheap", 4.0, {"plan": plan}, 0.5),
        attempt("skipped", 4.1, 0.0, why="it failed too often lately"),
    )
    assert [(s.name, s.began_ms, s.ended_ms) for s in below] == [
        ("admission", 0.0, 1.0), ("input_filter", 1.0, 3.0), ("router", 3.5, 4.0),
    ]  # fmt: skip
    assert [mark.name for mark in root.marks] == ["input_filter redact", "attempt skipped"]
    assert root.marks[0].facts == {"serve_app.rule": "mail", "serve_app.count": 2}
    assert below[2].facts["serve_app.router.candidates"] == ["p/m", "q/n"]
    assert (root.kind, root.began_ms, root.ended_ms, root.error) == ("server", 0.0, 100.0, "")
    assert root.facts["serve_app.tenant"] == "acme"


def test_every_call_of_a_backend_is_one_span_however_many_notes_it_has() -> None:
    _, below = drawn(
        attempt("transient", 2.0, 2.0, status=503, why="words of the caller"),
        attempt("hedged", 5.0, 3.0),
        attempt("hedge_lost", 9.0, 6.0, backend="q"),
        attempt("answered", 9.0, 7.0),
        attempt("interrupted", 20.0, 18.0, status=0, why="the answer broke off"),
        attempt("recovered", 25.0, 4.0, backend="q"),
        Note("answer", "ok", 40.0, {"backend": "q", "model": "m", "tokens": 9}, 31.0),
        streamed=True,
    )
    told = [(s.facts["serve_app.attempt"], s.began_ms, s.ended_ms, s.error) for s in below]
    assert told == [
        ("transient", 0.0, 2.0, "transient"),
        ("hedge_lost", 3.0, 9.0, ""),
        ("interrupted", 2.0, 20.0, "interrupted"),
        ("recovered", 21.0, 40.0, ""),
    ]
    assert all(span.kind == "client" for span in below)
    first, _, _, last = below
    assert (first.facts["error.type"], first.facts["gen_ai.provider.name"]) == ("503", "openai")
    assert last.facts["gen_ai.provider.name"] == "q"
    assert last.facts["gen_ai.usage.output_tokens"] == 9
    assert "words of the caller" not in repr(below)


def test_content_is_told_only_where_it_is_switched_on() -> None:
    _, [call] = drawn(attempt("caller", 2.0, 2.0, status=400, why="words"), content=True)
    assert call.facts["serve_app.why"] == "words"


def test_calls_of_tools_are_spans_of_their_own() -> None:
    facts = {"tool": "look", "server": "s", "source": "mcp:s", "ms": 3.0, "result_chars": 7}
    _, [good, bad] = drawn(
        Note("tool", "ok", 5.0, facts), Note("tool", "timeout", 9.0, {**facts, "ms": 2.0})
    )
    assert (good.name, good.began_ms, good.ended_ms, good.error) == (
        "execute_tool look", 2.0, 5.0, "",
    )  # fmt: skip
    assert good.facts["gen_ai.tool.name"] == "look"
    assert (bad.error, bad.facts["error.type"]) == ("timeout", "timeout")


def test_a_refused_request_is_no_error_of_ours() -> None:
    root, _ = drawn(status=429, error="rate_limit_exceeded")
    assert (root.error, root.facts["error.type"]) == ("", "rate_limit_exceeded")
    root, _ = drawn(status=503, error="overloaded")
    assert root.error == "overloaded"


def test_a_call_that_outlived_its_request_is_still_inside_its_span() -> None:
    root, [call] = drawn(
        attempt("answered", 2.0, 2.0),
        Note("answer", "left", 250.0, {"backend": "p", "model": "m", "tokens": 3}, 248.0),
    )
    assert root.ended_ms == call.ended_ms == 250.0
    assert [mark.name for mark in call.marks] == ["answer left"]


def test_embeddings_are_called_by_their_name() -> None:
    _, [call] = drawn(attempt("answered", 2.0, 2.0), route="/v1/embeddings")
    assert call.name == "embeddings m"
    assert call.facts["gen_ai.operation.name"] == "embeddings"
