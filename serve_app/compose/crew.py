"""Everything of one worker that is a process of its own: a corridor, and who works over it."""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.backends.local_vllm import Transport
from serve_app.compose.corridor import Corridor
from serve_app.compose.maker import Maker, Stages
from serve_app.compose.staff import Staff
from serve_app.config.policy import Policy
from serve_app.store.errors import StoreUnavailable


class Crew:
    """A worker without a front door. Build it inside the running loop, then `start()`.

    Args:
        stages: those that are elsewhere.
        transports: by local backend's name, how to reach its model.
        replica: an id for metrics and lists of tasks.

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
    ) -> None:
        self._corridor = Corridor(maker, policy, stages, transports, replica, "Workers")
        self._staff = Staff(self._corridor, replica)
        self.instruments = self._corridor.instruments
        self.instruments.show_staff(lambda: self._staff.worker.busy)

    def start(self) -> None:
        self._corridor.start()
        self._staff.start()

    def apply(self, policy: Policy) -> None:
        """Use another policy from the next task on.

        Raises:
            PolicyRejected: nothing was changed.
        """
        self._corridor.apply(policy)
        self._staff.apply(policy)

    async def load(self) -> dict[str, float]:
        """How much there is to do: tasks under way here, at most here, and waiting of all. What
        waits is left out while Redis does not say."""
        found = {
            "busy": float(self._staff.worker.busy),
            "concurrency": float(self._staff.concurrency),
        }
        try:
            backlog = await self._corridor.queue.backlog()
        except StoreUnavailable:
            return found
        return {**found, "waiting": float(backlog.waiting)}

    async def close(self) -> None:
        """Give back what is not done, then let go of everything; bounded."""
        await self._staff.close()
        await self._corridor.close()
