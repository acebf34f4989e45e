"""The worker of one process: who does which kind of task, over a corridor that answers."""

from __future__ import annotations

import random
import secrets
from collections.abc import Mapping

from serve_app.compose.corridor import Corridor
from serve_app.config.policy import Policy
from serve_app.work.ends import Handler
from serve_app.work.jobs import KIND as JOB
from serve_app.work.jobs import JobHandler
from serve_app.work.webhooks import KIND as WEBHOOK
from serve_app.work.worker import Worker


class Staff:
    """Does background tasks.

    Args:
        replica: an id for lists of tasks.
        handlers: of further kinds.
    """

    def __init__(
        self, corridor: Corridor, replica: str, handlers: Mapping[str, Handler] | None = None
    ) -> None:
        settings = corridor.maker.args.tasks
        self._corridor = corridor
        self.concurrency = settings.concurrency
        self.worker = Worker(
            corridor.queue,
            {
                JOB: JobHandler(corridor.performer),
                WEBHOOK: corridor.webhooks,
                **corridor.batches.handlers(corridor.performer),
                **(handlers or {}),
            },
            f"{replica}-{secrets.token_hex(3)}",
            corridor.maker.clock,
            random.Random(),  # noqa: S311
            concurrency=settings.concurrency,
            low_concurrency=settings.low_concurrency,
        )
        corridor.on_submitted = self.worker.wake
        self.apply(corridor.policy)

    def start(self) -> None:
        self.worker.start()
        self._corridor.batches.start()

    def apply(self, policy: Policy) -> None:
        """Take nothing more while the policy says that the gateway closes."""
        self.worker.hold(policy.draining)

    async def close(self) -> None:
        await self.worker.close(self._corridor.maker.args.tasks.grace_s)
