"""Has a changed policy arrived? The gateway's readiness says which one holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life.http import Unreachable, ask
from serve_app.cli.life.orders import Deadline
from serve_app.config.deployment import GatewayApp

_LIMIT_S = 20.0
_ANSWERS = 5
"""So many answers in a row must show the policy: any replica may have given each."""


def wait(address: str, gateway: GatewayApp, pause: Callable[[float], object]) -> None:
    """Until the gateway's answers show the policy.

    Raises:
        Failure: a replica refused it, or it did not arrive in time.
    """
    digest = gateway.policy.digest()
    path = f"{gateway.route_prefix.rstrip('/')}/health/readiness"
    deadline, in_a_row = Deadline(_LIMIT_S), 0
    while in_a_row < _ANSWERS:
        state = _policy(address, path)
        if state.get("refused") == digest:
            raise Failure(f"{gateway.name}: {state.get('problem')}", USAGE)
        in_a_row = in_a_row + 1 if state.get("digest") == digest else 0
        if deadline.over:
            raise Failure(f"{gateway.name}: the new policy did not arrive in {_LIMIT_S:.0f} s")
        pause(0.05)


def _policy(address: str, path: str) -> dict[str, Any]:
    try:
        said = ask("GET", address, path).json()
    except Unreachable:
        return {}
    state = said.get("policy") if isinstance(said, dict) else None
    return state if isinstance(state, dict) else {}
