"""Policies as Serve hands them to replicas: checked whole, applied whole, or left."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import ValidationError

from serve_app.config.policy import Policy
from serve_app.core.errors import PolicyRejected

logger = logging.getLogger(__name__)


def checked(user_config: dict[str, Any], *, first: bool) -> Policy | None:
    """The policy, or None if it is bad and there is an old one to stay with.

    Raises:
        PolicyRejected: it is bad and there is none before it, so the replica must not start.
    """
    try:
        return Policy.model_validate(user_config or {})
    except ValidationError as error:
        rejected = PolicyRejected("; ".join(_lines(error)))
        if first:
            raise rejected from None
        refused(rejected)
        return None


def refused(error: PolicyRejected) -> None:
    """Say that the old policy stays; Serve itself would take a raise for a broken replica."""
    logger.error("policy refused, the old one stays: %s", error)


def _lines(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"
        for found in error.errors(include_url=False, include_input=False)
    ]
