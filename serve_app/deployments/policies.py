"""Policies as Serve hands them to replicas, checked whole."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from serve_app.config.policy import Policy
from serve_app.core.errors import PolicyRejected


def checked(user_config: dict[str, Any]) -> Policy:
    """The policy in a deployment's `user_config`.

    Raises:
        PolicyRejected: names every field at fault.
    """
    try:
        return Policy.model_validate(user_config or {})
    except ValidationError as error:
        raise PolicyRejected("; ".join(_lines(error))) from None


def _lines(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in found['loc'])}: {found['msg']}"
        for found in error.errors(include_url=False, include_input=False)
    ]
