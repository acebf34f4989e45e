"""`serve-app explain` as a user runs it, against the route of trails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cli_world import Command
from ingress.asgi_world import serving

from serve_app.core.errors import GatewayError, Unauthorized
from serve_app.core.plan import Candidate, Exclusion, Plan
from serve_app.core.trail import Note, Trail
from serve_app.core.types import Identity
from serve_app.ingress.http import Exchange
from serve_app.ingress.router import Router
from serve_app.ingress.trails import TrailRoutes
from serve_app.observe.observer import RequestEnd
from serve_app.trails.document import kept, packed, unpacked

LIMIT_S = 60
PLAN = Plan(
    [Candidate("p", "ok", "cheap; cheapest: about 3.00 micro-USD", 8000, cost_micro_usd=3),
     Candidate("q", "other", "[red]next\x1b[2J", 8000, first_token_s=0.25)],
    [Exclusion("r", "away", "its key was refused")],
    need=0.25, tier="cheap", strategy="cheapest",
)  # fmt: skip
NOTES = [
    Note("admission", "admitted", 1.0, {"limits": "counted", "budget": ""}, 1.0),
    Note("input_filter", "redact", 2.0, {"rule": "mail", "count": 2}),
    Note("router", "cheap", 3.0, {"plan": PLAN}, 0.5),
    Note("attempt", "transient", 40.0, {"backend": "p", "model": "ok", "ms": 37.0, "status": 503,
                                        "why": "too \x1b[2Jbusy"}, 37.0),
    Note("attempt", "answered", 90.0, {"backend": "q", "model": "other", "ms": 50.0}, 50.0),
]  # fmt: skip


class TrailsWorld:
    """One trail, and its route."""

    def __init__(self) -> None:
        trail = Trail("req_1")
        trail.notes += NOTES
        end = RequestEnd(
            trail, "/v1/chat/completions", 200, 0.1, "acme", "ann", "q", "other",
            prompt_tokens=5, completion_tokens=7, cost_micro_usd=1234,
        )  # fmt: skip
        self._found = unpacked(packed(kept(end), 99_999))
        routes = TrailRoutes(identify=self._identify, is_admin=lambda _: True, find=self._find)
        self._router = Router(routes.routes())

    async def close(self) -> None:
        """There is nothing to close."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As the gateway's application would: route, and tell of errors."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._router.find(exchange).handle(exchange)
        except GatewayError as error:
            await exchange.problem(error)

    async def _identify(self, exchange: Exchange) -> Identity:
        if exchange.header(b"authorization") != "Bearer boss":
            raise Unauthorized("no such key")
        return Identity(tenant="admins", user="u")

    async def _find(self, tenant: str | None, request_id: str) -> dict[str, Any] | None:
        return self._found if request_id == "req_1" and tenant in (None, "acme") else None


@pytest.fixture
def gateway(command: Command) -> Iterator[str]:
    command.environ["SERVE_APP_ADMIN_KEY"] = "boss"

    async def make() -> TrailsWorld:
        return TrailsWorld()

    with serving(make) as (_, address):
        yield address


def run(command: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    return command.run("explain", *words, "--url", address, limit_s=LIMIT_S)


def test_a_request_is_explained_stage_by_stage(command: Command, gateway: str) -> None:
    done = run(command, gateway, "req_1")
    assert done.returncode == 0, done.stderr
    said = done.stdout
    for word in ("req_1", "acme / ann", "q/other", "5 in, 7 out", "$0.001234", "100.0 ms"):
        assert word in said
    for word in ("transient", "503", "too", "busy", "rule mail", "37.00"):
        assert word in said
    for word in ("need 0.25", "tier cheap", "strategy cheapest", "its key was refused", "0.25 s"):
        assert word in said
    assert "[red]next" in said
    assert "\x1b[2J" not in said
    lines = said.splitlines()
    bars = {line.split()[1]: line.count("█") for line in lines if line.startswith("attempt")}
    assert 0 < bars["transient"] < bars["answered"]


def test_a_narrow_terminal_has_no_bars(command: Command, gateway: str) -> None:
    command.environ["COLUMNS"] = "70"
    said = run(command, gateway, "req_1").stdout
    assert "█" not in said
    assert "transient" in said


def test_json_is_what_the_gateway_said(command: Command, gateway: str) -> None:
    trail = json.loads(run(command, gateway, "req_1", "--json").stdout)
    assert (trail["object"], trail["plan"]["tier"]) == ("trail", "cheap")
    assert [note["stage"] for note in trail["notes"]] == [note.stage for note in NOTES]


def test_what_is_not_there_is_said_in_a_line(command: Command, gateway: str) -> None:
    done = run(command, gateway, "req_1", "--tenant", "zeta")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("There is no trail of")
    assert done.stderr.count("\n") == 1
