"""A key's own limits: raw values in, what the policy's limits are checked by out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from serve_app.config.policy import LimitPolicy
from serve_app.core.errors import BadRequest


def checked(limits: Mapping[str, Any]) -> LimitPolicy | None:
    """
    Returns:
        None if there are none.

    Raises:
        BadRequest: `param` is the path of the field at fault, from `limits` on.
    """
    if not limits:
        return None
    try:
        return LimitPolicy.model_validate(limits)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(["limits", *map(str, first["loc"])])[:200]
        raise BadRequest(f"Invalid value for {where!r}: {first['msg']}", param=where) from None
