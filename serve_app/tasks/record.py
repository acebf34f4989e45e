"""What Redis holds of a task, as values: what the submission said once and for all (the head, which
the scripts do not look into), and what became of it since."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import Struct

from serve_app.tasks.base import TaskPriority, TaskState, TaskView

_Maybe = str | Literal[False]
"""False: the field is not there."""


class Head(Struct, frozen=True, array_like=True):
    kind: str
    tenant: str
    user: str = ""
    key_id: str = ""
    soft_limit_s: float = 60.0
    webhook: str = ""
    label: str = ""


class _Raw(Struct, frozen=True, array_like=True):
    """As `view` of lua/parts/tasks.lua packs it."""

    id: str
    result_bytes: int
    head: str
    state: TaskState
    priority: TaskPriority
    tries: _Maybe
    retries: str
    born_us: str
    began_ms: _Maybe
    ended_ms: _Maybe
    wait_ms: _Maybe
    gone_ms: _Maybe
    code: _Maybe
    message: _Maybe
    told: _Maybe
    worker: _Maybe


pack_head: Final = msgspec.json.Encoder().encode
_head: Final = msgspec.json.Decoder(Head).decode
_raw: Final = msgspec.msgpack.Decoder(_Raw).decode


def view_of(packed: bytes, result: bytes | None = None) -> TaskView:
    raw = _raw(packed)
    head = _head(raw.head)
    return TaskView(
        id=raw.id,
        kind=head.kind,
        tenant=head.tenant,
        user=head.user,
        key_id=head.key_id,
        state=raw.state,
        priority=raw.priority,
        attempts=int(raw.tries or 0),
        max_retries=int(raw.retries),
        created_at=int(raw.born_us) / 1e6,
        started_at=_seconds(raw.began_ms),
        ended_at=_seconds(raw.ended_ms),
        not_before=_seconds(raw.wait_ms),
        expires_at=_seconds(raw.gone_ms),
        error_code=raw.code or "",
        error_message=raw.message or "",
        result=result,
        result_bytes=raw.result_bytes,
        progress=int(raw.told or 0),
        webhook=head.webhook,
        label=head.label,
        soft_limit_s=head.soft_limit_s,
        worker=raw.worker or "",
    )


def _seconds(ms: _Maybe) -> float:
    return int(ms or 0) / 1000
