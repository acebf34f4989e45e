"""The console: its page, its sessions, and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Collection

from serve_app.compose.console_overview import Overview
from serve_app.compose.console_states import States
from serve_app.compose.corridor import Corridor
from serve_app.config.paths import VIEWER_KEY
from serve_app.console.board import Board
from serve_app.console.counted import Counted
from serve_app.console.live import Live
from serve_app.console.locks import Locks
from serve_app.console.pages import Pages, shipped
from serve_app.console.sessions import Sessions
from serve_app.console.tries import Tries
from serve_app.console.window import Known
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.console_gate import Gate
from serve_app.ingress.console_live import ConsoleLive
from serve_app.ingress.console_login import ConsoleLogin
from serve_app.ingress.console_office import ConsoleOffice
from serve_app.ingress.console_pages import ConsolePages
from serve_app.ingress.desk import Desk
from serve_app.ingress.doorman import Doorman
from serve_app.ingress.house import PolicyState
from serve_app.ingress.router import Route


class Console:
    """What an ingress replica has of the console; nothing where it is switched off.

    Args:
        policy: which one holds.
        paths: of all routes.
    """

    def __init__(
        self,
        corridor: Corridor,
        clerk: Clerk,
        desk: Desk,
        policy: Callable[[], PolicyState],
        paths: Callable[[], Collection[str]],
    ) -> None:
        self._corridor = corridor
        self._clerk = clerk
        self._desk = desk
        self._known = known(corridor)
        self._overview = Overview(corridor, desk, policy, paths)
        self.is_on = corridor.maker.args.console.enabled
        admission, maker = corridor.admission, corridor.maker
        self._locks = Locks(
            lambda key: admission.admin(None, key),
            admission.has_admin,
            maker.environ.get(VIEWER_KEY, ""),
        )
        self._sessions = Sessions(
            maker.store,
            maker.clock,
            is_good=self._locks.is_good,
            lasts_s=maker.args.console.session_s,
        )
        self.doorman = Doorman(self._sessions) if self.is_on else None

    def routes(self) -> list[Route]:
        if not self.is_on:
            return []
        gate = Gate(self._clerk.is_admin)
        return [
            *ConsolePages(Pages(shipped())).routes(),
            *self._login().routes(),
            *self._live(gate).routes(),
            *self._office(gate).routes(),
        ]

    def _login(self) -> ConsoleLogin:
        maker, admission = self._corridor.maker, self._corridor.admission
        return ConsoleLogin(
            self._sessions,
            self._locks,
            Tries(maker.store, maker.clock),
            maker.args.console,
            admin=self._clerk.admin,
            is_open=lambda: admission.admin(None, None) is not None,
            has_admins=lambda: admission.has_admins,
        )

    def _live(self, gate: Gate) -> ConsoleLive:
        corridor = self._corridor
        live = Live(Counted(corridor.shapes.paths), self._known)
        board = Board(corridor.observatory.history.read, live, corridor.maker.clock)
        return ConsoleLive(gate, board, lambda: self._desk.draining)

    def _office(self, gate: Gate) -> ConsoleOffice:
        corridor = self._corridor
        return ConsoleOffice(
            gate,
            overview=self._overview,
            models=States(self._known, corridor.maker.vitals, corridor.backends),
            questions=corridor.cache,
            batches=corridor.batches.listing(),
        )


def known(corridor: Corridor) -> list[Known]:
    """Every model of the settings, in their order."""
    off = corridor.maker.catalog.off()
    return [
        Known(backend.name, model.id, backend.kind == "local", off.get(backend.name, ""))
        for backend in corridor.maker.args.backends
        for model in backend.models
    ]
