"""A weighted split: which arm a request falls into, and who stands in for it.

The arm depends on the request's seed alone, not on how the arms are doing and not on who answered
the conversation before, so that what an arm is measured by is what was sent its way.
"""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.core.plan import PlanQuery
from serve_app.routing.lot import weighted_lot
from serve_app.routing.route import Step


def arm_of(steps: Sequence[Step], query: PlanQuery) -> str:
    """The `backend/model` drawn among those that can take the request; empty if none weighs."""
    weights = {step.model.ref: step.weight for step in steps}
    return weighted_lot(query.seed or query.conversation, weights)


def in_turn(steps: Sequence[Step], arm: str) -> list[Step]:
    """The arm, then the others by weight, then by place in the configuration."""
    return sorted(steps, key=lambda step: (step.model.ref != arm, -step.weight))
