"""The Ray shell of a worker: nobody calls it, it takes its work from the queue."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from serve_app.compose import Crew, Maker
from serve_app.compose.logs import begin_log
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.errors import PolicyRejected
from serve_app.deployments import cluster_view, interpreter
from serve_app.deployments.classifier_hop import classifier_app
from serve_app.deployments.policies import checked
from serve_app.deployments.reach import stages_over, transports_of

logger = logging.getLogger(__name__)


class WorkerReplica:
    """One worker with a corridor of its own.

    Args:
        args: `GatewayArgs` as plain data.
        stages: handles of the stages that are deployments.
        backends: handles of the hosted backends that are deployments, by name.
    """

    def __init__(
        self,
        args: dict[str, Any],
        stages: dict[str, DeploymentHandle],
        backends: dict[str, DeploymentHandle],
    ) -> None:
        begin_log()
        self._args = GatewayArgs.model_validate(args)
        self._stage_handles = stages
        self._backend_handles = backends
        self._crew: Crew | None = None

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take a policy and begin to work; a bad one is refused, and fatal only where there is
        none before."""
        try:
            policy = checked(user_config)
            if self._crew is None:
                self._begin(policy)
            else:
                self._crew.apply(policy)
        except PolicyRejected as error:
            if self._crew is None:
                raise
            logger.error("policy refused, the old one stays: %s", error)

    def _begin(self, policy: Policy) -> None:
        transports = transports_of(self._args)
        self._crew = Crew(
            Maker(self._args, os.environ, classifier_app),
            policy,
            stages_over(self._stage_handles, self._backend_handles),
            transports,
            serve.get_replica_context().replica_id.unique_id,
        )
        self._crew.instruments.staffing = cluster_view.staffing
        self._crew.instruments.engines = partial(cluster_view.loads, transports)
        self._crew.start()
        interpreter.calm()

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """What `deployments/staffing.py` decides by."""
        return {} if self._crew is None else await self._crew.load()

    async def __del__(self) -> None:
        if self._crew is not None:
            await asyncio.shield(self._crew.close())
