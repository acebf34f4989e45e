"""Tasks of kind `job`: a request that is answered when a worker has time for it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from serve_app.core.job import Job, Outcome
from serve_app.tasks.base import Claim
from serve_app.work.ends import TaskEnd
from serve_app.work.performer import Performer
from serve_app.work.progress import Progress

KIND: Final = "job"

_DEADLINE_MARGIN_S = 5.0
"""The task's own limit ends it first, and says so."""

_job = msgspec.msgpack.Decoder(Job)
_encode = msgspec.msgpack.encode
_object = msgspec.json.Decoder(dict[str, Any])


class JobHandler:
    """Carries out the job of a task. The result is an `Outcome` in MessagePack."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer

    async def __call__(self, claim: Claim, progress: Progress) -> TaskEnd:
        job = _job.decode(claim.payload)
        job = replace(
            job,
            deadline_s=claim.soft_limit_s + _DEADLINE_MARGIN_S,
            once=job.once or claim.task.id,
        )
        outcome = await self._performer.perform(job, progress.text)
        if outcome.status < 400:
            return TaskEnd(_encode(outcome))
        return TaskEnd.failed(
            outcome.code,
            _message(outcome),
            retry=not outcome.is_final,
            after_s=outcome.retry_after_s or None,
        )


def _message(outcome: Outcome) -> str:
    """What the problem's body says, in OpenAI's shape and in Anthropic's."""
    try:
        error = _object.decode(outcome.body).get("error")
    except msgspec.DecodeError:
        return ""
    return str(error.get("message", "")) if isinstance(error, dict) else ""
