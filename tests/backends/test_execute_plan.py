from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from backend_calls import ANSWER, MakeHosted, chat, collect, plan, text_of
from backend_desk import Desk
from provider.fixtures import ScriptedProvider

from serve_app.backends.body import upstream_body
from serve_app.core.errors import (
    BadRequest,
    DeadlineExceeded,
    Overloaded,
    UpstreamFailed,
)
from serve_app.core.plan import Candidate

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


# ------------------------------------------------------------------ the answer


@BOTH
async def test_the_first_candidate_answers(desk: Desk, stream: bool) -> None:
    text, answer = await desk.answer("first/ok", "second/ok", stream=stream)
    assert text == ANSWER
    assert (answer.candidate.backend, answer.attempts) == ("first", 1)
    [note] = desk.trail.notes
    assert (note.stage, note.decision) == ("attempt", "answered")
    assert (note.facts["backend"], note.facts["model"], note.facts["status"]) == (
        "first",
        "ok",
        200,
    )
    assert note.facts["ms"] > 0


async def test_nothing_of_the_stream_is_lost_on_the_way(desk: Desk) -> None:
    answer = await desk.start("first/reasoning")
    chunks = await collect(answer.chunks)
    assert chunks[0].choices[0].delta.reasoning_content == "Let me"
    assert text_of(chunks) == ANSWER
    assert chunks[-1].usage is not None


@BOTH
async def test_the_candidate_gets_its_own_model_name_and_what_was_prepared(
    desk: Desk, stream: bool
) -> None:
    def prepare(candidate: Candidate) -> dict[str, bytes]:
        return {"user": json.dumps(candidate.backend).encode()}

    text, _ = await desk.answer("first/echo", prepare=prepare, stream=stream, top_p=0.5)
    body = json.loads(text)
    assert (body["model"], body["user"], body["top_p"]) == ("echo", "first", 0.5)


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"stream": True}, {"include_usage": True}),
        ({"stream": True, "stream_options": None}, {"include_usage": True}),
        (
            {"stream": True, "stream_options": {"include_usage": False, "x": 1}},
            {"include_usage": True, "x": 1},
        ),
        (
            {"stream": True, "stream_options": {"include_usage": True, "x": [1]}},
            {"include_usage": True, "x": [1]},
        ),
        ({}, None),
    ],
)
def test_usage_is_asked_for_in_every_stream(
    fields: dict[str, Any], sent: dict[str, object] | None
) -> None:
    [candidate] = plan("first/m").candidates
    body = json.loads(upstream_body(chat(**fields), candidate, None))
    assert body.get("stream_options") == sent


# ------------------------------------------------- failing over, trying again

SILENT_FAILURES = [
    "auth",
    "quota",
    "context-too-long",
    "redirect",
]
TRANSIENT_FAILURES = [
    "status-500",
    "status-503",
    "status-429-retry-after-0",
    "reset-before-headers",
    "close-before-headers",
    "not-http",
    "wrong-content-type",
    "error-in-200",
]


@BOTH
@pytest.mark.parametrize("model", SILENT_FAILURES)
async def test_a_candidate_that_will_not_do_is_followed_by_the_next(
    desk: Desk, model: str, stream: bool
) -> None:
    text, answer = await desk.answer(f"first/{model}", "second/ok", stream=stream)
    assert text == ANSWER
    assert (answer.candidate.backend, answer.attempts) == ("second", 2)
    assert desk.pauses == []


@BOTH
@pytest.mark.parametrize("model", TRANSIENT_FAILURES)
async def test_a_transient_failure_is_tried_once_more_then_the_next(
    desk: Desk, provider: ScriptedProvider, model: str, stream: bool
) -> None:
    text, answer = await desk.answer(f"first/{model}", "second/ok", stream=stream)
    assert text == ANSWER
    assert (answer.candidate.backend, answer.attempts) == ("second", 3)
    assert len(provider.log(model)) == 2
    assert len(desk.pauses) == (0 if model.endswith("retry-after-0") else 1)
    assert desk.outcomes() == ["transient", "transient", "answered"]


@BOTH
async def test_a_second_try_can_be_the_answer(
    desk: Desk, provider: ScriptedProvider, stream: bool
) -> None:
    provider.script("flaky", "status-500", "ok")
    text, answer = await desk.answer("first/flaky", "second/ok", stream=stream)
    assert text == ANSWER
    assert (answer.candidate.backend, answer.attempts) == ("first", 2)


@pytest.mark.parametrize("model", ["error-event", "end-after-0", "malformed-event-first"])
async def test_a_stream_that_fails_before_content_fails_over_in_silence(
    desk: Desk, provider: ScriptedProvider, model: str
) -> None:
    text, answer = await desk.answer(f"first/{model}", "second/ok")
    assert text == ANSWER
    assert answer.candidate.backend == "second"


async def test_a_providers_wish_to_wait_is_honoured(desk: Desk, provider: ScriptedProvider) -> None:
    provider.script("busy", "status-429-retry-after-1", "ok")
    _, answer = await desk.answer("first/busy", "second/ok")
    assert answer.candidate.backend == "first"
    assert desk.pauses[0] >= 1.0


async def test_a_longer_wait_than_ours_goes_to_the_next_and_is_remembered(
    desk: Desk, provider: ScriptedProvider
) -> None:
    for _ in range(2):
        _, answer = await desk.answer("first/status-429-retry-after-60", "second/ok")
        assert answer.candidate.backend == "second"
    assert desk.pauses == []
    assert len(provider.log("status-429-retry-after-60")) == 1


async def test_a_pause_that_does_not_fit_the_deadline_is_not_made(desk: Desk) -> None:
    _, answer = await desk.answer("first/status-429-retry-after-1", "second/slow-1ms", within_s=1.0)
    assert answer.candidate.backend == "second"
    assert desk.pauses == []


async def test_pauses_are_jittered(desk: Desk) -> None:
    for _ in range(2):
        await desk.answer("first/status-500", "second/ok")
    assert len(set(desk.pauses)) == 2


async def test_a_silent_backend_is_not_tried_again(
    make_hosted: MakeHosted, provider: ScriptedProvider
) -> None:
    desk = Desk(make_hosted("first", first_token_s=0.5), make_hosted("second"))
    _, answer = await desk.answer("first/no-response", "second/ok")
    assert (answer.candidate.backend, answer.attempts) == ("second", 2)
    assert await asyncio.to_thread(provider.wait, "no-response", "aborted")


async def test_a_backend_that_is_off_is_passed_over(desk: Desk) -> None:
    _, answer = await desk.answer("gone/ok", "second/ok")
    assert (answer.candidate.backend, answer.attempts) == ("second", 1)
    assert desk.outcomes() == ["skipped", "answered"]


# -------------------------------------------------------------------- failing


@BOTH
async def test_a_wrong_request_goes_straight_back(
    desk: Desk, provider: ScriptedProvider, stream: bool
) -> None:
    error = await desk.fail("first/bad-request", "second/ok", stream=stream)
    assert isinstance(error, BadRequest)
    assert (error.message, error.code, error.param) == (
        "Invalid value for 'temperature': 9.",
        "invalid_value",
        "temperature",
    )
    assert len(provider.log()) == 1


@BOTH
async def test_all_failed_lists_every_attempt(desk: Desk, stream: bool) -> None:
    error = await desk.fail("first/status-500", "second/auth", "gone/x", stream=stream)
    assert isinstance(error, UpstreamFailed)
    _, *lines = error.message.split("\n")
    assert [line.split(" (")[0] for line in lines] == [
        "first/status-500: scripted 500",
        "first/status-500: scripted 500",
        "second/auth: the provider refused our credentials",
        "gone/x: not asked, the backend is off",
    ]
    assert "HTTP 500, " in lines[0]


async def test_nothing_but_overload_is_overloaded_with_the_shortest_wait(desk: Desk) -> None:
    error = await desk.fail("first/status-429-retry-after-40", "second/status-429-retry-after-30")
    assert isinstance(error, Overloaded)
    assert error.retry_after_s == 30.0


async def test_overload_beside_another_failure_is_a_failure(desk: Desk) -> None:
    error = await desk.fail("first/status-429-retry-after-40", "second/auth")
    assert isinstance(error, UpstreamFailed)


@BOTH
async def test_the_deadline_holds_over_all_attempts(
    desk: Desk, provider: ScriptedProvider, stream: bool
) -> None:
    error = await desk.fail("first/no-response", "second/ok", within_s=0.4, stream=stream)
    assert isinstance(error, DeadlineExceeded)
    assert "first/no-response" in error.message
    assert provider.log("ok") == []


async def test_a_deadline_that_has_passed_asks_nobody(
    desk: Desk, provider: ScriptedProvider
) -> None:
    assert isinstance(await desk.fail("first/ok", within_s=0.0), DeadlineExceeded)
    assert provider.log() == []


async def test_events_without_content_for_ever_are_a_failure(desk: Desk) -> None:
    error = await desk.fail("first/empty-events")
    assert "no content" in error.message
