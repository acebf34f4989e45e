"""The last lines of `up`: where it is, how to ask it, which backends are on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from serve_app.cli.life.http import Unreachable, ask
from serve_app.config.deployment import Deployment

QUESTION = "What is the capital of France?"
KEY_ENV = "SERVE_APP_API_KEY"


def ready_lines(
    deployment: Deployment, notices: Iterable[str], environ: Mapping[str, str]
) -> list[str]:
    """What a newcomer needs now."""
    needs_key = any(app.policy.admission.require_key for app in deployment.gateways)
    lines = ["", f"Ready at {deployment.address}", ""]
    lines += [f"  {curl(deployment.address, needs_key=needs_key)}", ""]
    backends = backend_lines(readiness(deployment.address))
    lines += [f"  {line}" for line in [*backends, *unsaid(notices, backends)]]
    if needs_key and not environ.get(KEY_ENV):
        lines.append(f"  Requests need a key: export {KEY_ENV}=...")
    return [*lines, "", "  serve-app chat | status | down"]


def curl(address: str, *, needs_key: bool) -> str:
    """A command that works as it is printed."""
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": QUESTION}]})
    key = f' -H "Authorization: Bearer ${KEY_ENV}"' if needs_key else ""
    return (
        f"curl {address}/v1/chat/completions -H 'Content-Type: application/json'{key} -d '{body}'"
    )


def readiness(address: str) -> dict[str, Any]:
    """The gateway's own view; empty if it does not answer."""
    try:
        said = ask("GET", address, "/health/readiness").json()
    except Unreachable:
        return {}
    return said if isinstance(said, dict) else {}


def backend_lines(said: Mapping[str, Any]) -> list[str]:
    """One line per backend: on or off, and why."""
    checks = said.get("checks")
    backends = checks.get("backends") if isinstance(checks, dict) else None
    if not isinstance(backends, dict):
        return []
    width = max((len(name) for name in backends), default=0)
    return [f"{name:<{width}}  {_state(check)}" for name, check in backends.items()]


def unsaid(notices: Iterable[str], backends: Iterable[str]) -> list[str]:
    """The notices that are not about a backend that has a line already."""
    named = {line.split()[0] for line in backends}
    return [notice for notice in notices if notice.split()[0] not in named]


def _state(check: Any) -> str:
    if not isinstance(check, dict):
        return "unknown"
    detail = str(check.get("detail") or "")
    if check.get("ok"):
        return f"on   {detail}".rstrip()
    return detail if detail.startswith("off") else f"off: {detail}"
