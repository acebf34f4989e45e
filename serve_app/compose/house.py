"""Everything of one ingress replica: the corridor, and the front door before it."""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.admission.registrar import Registrar
from serve_app.backends.local_vllm import Transport
from serve_app.compose.console import Console
from serve_app.compose.corridor import Corridor
from serve_app.compose.maker import Maker, Stages
from serve_app.compose.staff import Staff
from serve_app.config.policy import Policy
from serve_app.ingress.alerts import AlertRoutes
from serve_app.ingress.app import GatewayApp
from serve_app.ingress.background import BackgroundRoutes
from serve_app.ingress.clerk import Clerk
from serve_app.ingress.conversations import ConversationRoutes
from serve_app.ingress.costs import CostsRoute
from serve_app.ingress.desk import Desk
from serve_app.ingress.house import HouseRoutes, PolicyState
from serve_app.ingress.keys import KeyRoutes
from serve_app.ingress.metrics import MetricsRoute
from serve_app.ingress.pantry import PantryRoutes
from serve_app.ingress.responses import ResponseRoutes
from serve_app.ingress.router import Route
from serve_app.ingress.routes import WorkRoutes
from serve_app.ingress.tasks_admin import TaskRoutes
from serve_app.ingress.trails import TrailRoutes
from serve_app.ingress.usage import UsageRoute


class House:
    """One ingress replica.

    Build it inside the running loop, then `start()`; `apply()` takes policies while it runs.

    Args:
        stages: those that are elsewhere.
        transports: by local backend's name, how to reach its model.
        replica: an id for metrics.
        names_requests: False where the server in front sends the `x-request-id` header.

    Raises:
        PolicyRejected: the policy cannot be used with this structure.
    """

    def __init__(
        self,
        maker: Maker,
        policy: Policy,
        stages: Stages,
        transports: Mapping[str, Transport],
        replica: str,
        *,
        names_requests: bool,
    ) -> None:
        args, corridor = maker.args, Corridor(maker, policy, stages, transports, replica)
        self._maker = maker
        self._corridor = corridor
        self.ledger, self.loop = corridor.ledger, corridor.loop
        self.queue = corridor.queue
        self.instruments = corridor.instruments
        self.performer = corridor.performer
        self._desk = Desk(
            limit=args.server.max_requests,
            body_timeout_s=args.server.body_timeout_s,
            write_timeout_s=args.server.write_timeout_s,
            drain_s=args.server.drain_s,
        )
        self._staff = Staff(corridor, replica) if args.placement.workers == "fused" else None
        clerk = Clerk(
            corridor.pipeline, corridor.loop, corridor.admission, args.server, maker.clock
        )
        self._work = WorkRoutes(clerk)
        self._background = BackgroundRoutes(
            clerk, corridor.queue, corridor.shapes, corridor.webhooks.check
        )
        console = Console(
            corridor, clerk, self._desk, lambda: self._policy_state, lambda: self.app.router.paths
        )
        memory = corridor.memory
        self._responses = ResponseRoutes(clerk, corridor.responding, memory.items, corridor.queue)
        self.app = GatewayApp(
            [
                *self._work.routes(),
                *self._background.routes(),
                *self._responses.routes(),
                *ConversationRoutes(clerk, memory.conversations, memory.items).routes(),
                *corridor.batches.routes(clerk),
                *self._office_routes(clerk),
                *self._house_routes().routes(),
                *MetricsRoute(self._exposed).routes(),
                *console.routes(),
            ],
            self._desk,
            corridor.observer,
            names_requests=names_requests,
            doorman=console.doorman,
        )
        corridor.instruments.show_desk(self._desk)
        if self._staff is not None:
            staff = self._staff
            corridor.instruments.show_staff(lambda: staff.worker.busy)
        self._settle_in(policy)

    def refused(self, policy: Policy | None, why: str) -> None:
        """Show in readiness that a policy was refused and the old one stays."""
        digest = "" if policy is None else policy.digest()
        self._policy_state = PolicyState(self._corridor.policy.digest(), digest, why)

    def _office_routes(self, clerk: Clerk) -> list[Route]:
        """Those that ask no model, for whom their callers are known."""
        pantry = PantryRoutes(
            identify=clerk.identify,
            is_admin=clerk.is_admin,
            cache=self._corridor.cache,
            warm=clerk.warm,
            max_body_bytes=self._maker.args.server.max_body_bytes,
        )
        usage = UsageRoute(
            standing=clerk.standing,
            is_admin=clerk.is_admin,
            ledger=self.ledger,
            clock=self._maker.clock,
        )
        keys = KeyRoutes(admin=clerk.admin, keys=Registrar(self._corridor.keys))
        tasks = TaskRoutes(
            identify=clerk.identify, is_admin=clerk.is_admin, queue=self._corridor.queue
        )
        trails = TrailRoutes(
            identify=clerk.identify,
            is_admin=clerk.is_admin,
            find=self._corridor.observatory.trail,
        )
        costs = CostsRoute(
            identify=clerk.identify,
            is_admin=clerk.is_admin,
            reports=self._corridor.observatory.records.reports,
            clock=self._maker.clock,
        )
        alerts = AlertRoutes(admin=clerk.admin, engine=self._corridor.observatory.alerts)
        return [
            *pantry.routes(), *keys.routes(), *usage.routes(), *tasks.routes(), *trails.routes(),
            *costs.routes(), *alerts.routes(),
        ]  # fmt: skip

    def _house_routes(self) -> HouseRoutes:
        maker, corridor = self._maker, self._corridor
        return HouseRoutes(
            profile=maker.args.profile,
            store=maker.store,
            backends=corridor.backends,
            catalog=maker.catalog,
            names=corridor.names,
            policy=lambda: self._policy_state,
            desk=self._desk,
            clock=maker.clock,
        )

    async def _exposed(self, accept: str) -> tuple[bytes, str]:
        """The metrics, with everything that this process knows so far."""
        await self._corridor.instruments.look()
        return await self._corridor.observatory.exposed(accept)

    def start(self) -> None:
        """Start what works beside the requests."""
        self._desk.start()
        self._corridor.start()
        if self._staff is not None:
            self._staff.start()

    def apply(self, policy: Policy) -> None:
        """Use another policy from the next request on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        self._corridor.apply(policy)
        self._settle_in(policy)

    def _settle_in(self, policy: Policy) -> None:
        self._policy_state = PolicyState(policy.digest())
        self._work.busy_message = policy.busy_message
        self._desk.drain(policy.draining)
        if self._staff is not None:
            self._staff.apply(policy)

    async def close(self) -> None:
        """Finish what requests left behind, then let go of everything; bounded."""
        if self._staff is not None:
            await self._staff.close()
        await self._background.close()
        await self._responses.close()
        await self._desk.close()
        await self._corridor.close()
