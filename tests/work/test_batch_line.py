"""One line of a batch: when it is asked again, how long is waited, and what it comes to."""

from __future__ import annotations

import json
import random

import pytest
from work.batch_world import TENANT, URL, Answers, failing, good, line

from serve_app.batches.lines import Line
from serve_app.config.batch_policy import BatchesPolicy
from serve_app.core.batch import Batch, Tally, Terms
from serve_app.core.job import Job, Outcome
from serve_app.work.batch_line import Answered, LineWork

BATCH = Batch(
    Terms(
        id="batch_1", tenant=TENANT, input_file_id="file-1", endpoint=URL, window="24h",
        created_at=0, expires_at=1000,
    ),
    "in_progress",
)  # fmt: skip
LINE = Line(4, 0, 10, line(4))


class Desk:
    """Answers in turn, and a time that only waiting moves."""

    def __init__(self, *outcomes: Outcome, attempts: int = 3, ends_at: float = 1000.0) -> None:
        self.answers = Answers()
        self.answers.answer = self._next
        self.now = 0.0
        self._ends_at = ends_at
        self._outcomes = list(outcomes)
        policy = BatchesPolicy(attempts=attempts)
        self.work = LineWork(
            BATCH, policy, self.answers, self._why_stop, random.Random(1), self._sleep
        )

    async def _next(self, job: Job) -> Outcome:
        return self._outcomes.pop(0) if self._outcomes else await good(job)

    async def _why_stop(self) -> str:
        return "batch_expired" if self.now >= self._ends_at else ""

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds

    async def answered(self) -> Answered:
        return await self.work.answer(LINE)


PASSING = failing(502, "all_backends_failed", is_final=False)
LIMITED = failing(429, "rate_limit_exceeded", is_final=False, after_s=30.0)


async def test_a_good_answer_is_a_line_of_the_output() -> None:
    desk = Desk()
    found = await desk.answered()
    assert found.is_good
    assert found.tally == Tally(completed=1, input_tokens=3, output_tokens=2)
    said = json.loads(found.text)
    assert (said["custom_id"], said["response"]["status_code"]) == ("c4", 200)
    assert said["response"]["request_id"] == desk.answers.jobs[0].request_id
    assert desk.now == 0


async def test_whoever_answers_a_line_gives_it_the_same_names() -> None:
    one, other = Desk(), Desk(PASSING)
    assert await one.answered() == await other.answered()
    assert {job.once for job in (*one.answers.jobs, *other.answers.jobs)} == {"batch_1:4"}


async def test_what_may_pass_is_tried_so_often_with_longer_pauses() -> None:
    desk = Desk(*[PASSING] * 9, attempts=4)
    found = await desk.answered()
    assert not found.is_good
    assert found.tally == Tally(failed=1)
    assert json.loads(found.text)["response"]["status_code"] == 502
    assert len(desk.answers.jobs) == 4
    assert 0.5 * 7 <= desk.now <= 7


async def test_what_is_final_is_not_tried_again() -> None:
    desk = Desk(failing(429, "budget_exceeded"))
    found = await desk.answered()
    assert json.loads(found.text)["response"]["body"] == {"error": {"code": "budget_exceeded"}}
    assert len(desk.answers.jobs) == 1


async def test_a_budget_that_is_only_held_is_asked_again() -> None:
    desk = Desk(failing(429, "budget_exceeded", after_s=1.0))
    assert (await desk.answered()).is_good
    assert not (await Desk(failing(429, "budget_exceeded", after_s=3600.0)).answered()).is_good


async def test_a_rate_limit_is_waited_for_however_often() -> None:
    desk = Desk(*[LIMITED] * 10, attempts=2)
    assert (await desk.answered()).is_good
    assert len(desk.answers.jobs) == 11
    assert desk.now >= 300


async def test_it_waits_as_long_as_it_was_asked_to() -> None:
    desk = Desk(failing(503, "overloaded", is_final=False, after_s=77.0))
    assert (await desk.answered()).is_good
    assert 77 <= desk.now < 80


async def test_who_waits_stops_when_the_batch_does() -> None:
    desk = Desk(*[LIMITED] * 99, ends_at=45.0)
    found = await desk.answered()
    assert found.tally == Tally(failed=1, expired=1)
    said = json.loads(found.text)
    assert said["response"] is None
    assert said["error"]["code"] == "batch_expired"
    assert desk.now <= 47


@pytest.mark.parametrize("body", [b"<html>", b'{"a":\n1}'])
async def test_any_body_is_one_line(body: bytes) -> None:
    found = await Desk(Outcome(200, body)).answered()
    assert found.text.count(b"\n") == 1
    json.loads(found.text)
