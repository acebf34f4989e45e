"""The Ray shell of the ingress: HTTP reaches our ASGI application through it."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import Any

from ray import serve
from ray.serve.context import _get_global_client
from ray.serve.handle import DeploymentHandle

from serve_app.compose import House, Maker
from serve_app.compose.logs import begin_log
from serve_app.config.doors import left_open
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.errors import PolicyRejected
from serve_app.deployments import cluster_view, interpreter
from serve_app.deployments.classifier_hop import classifier_app
from serve_app.deployments.policies import checked
from serve_app.deployments.reach import stages_over, transports_of

logger = logging.getLogger(__name__)


@serve.ingress()
class Gateway:
    """One ingress replica.

    Args:
        args: `GatewayArgs` as plain data.
        stages: handles of the stages that are deployments: `filter`, `cache`, `router`.
        backends: handles of the hosted backends that are deployments, by name.
        workers: handle of the workers that are a deployment. Nobody calls them: Serve deploys what
            the ingress is bound to.
    """

    def __init__(
        self,
        args: dict[str, Any],
        stages: dict[str, DeploymentHandle],
        backends: dict[str, DeploymentHandle],
        workers: DeploymentHandle | None = None,
    ) -> None:
        begin_log()
        self._maker = Maker(GatewayArgs.model_validate(args), os.environ, classifier_app)
        self._stage_handles = stages
        self._backend_handles = backends
        self._house: House | None = None
        self._has_policy = False
        for notice in self._maker.catalog.notices():
            logger.warning("%s", notice)

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take a policy; a bad one is refused, and fatal only where there is none before.

        Serve calls this after `__serve_build_asgi_app__` and before the first request. A
        coroutine, because Serve would run a plain method in a thread.
        """
        assert self._house is not None
        policy: Policy | None = None
        try:
            policy = checked(user_config)
            if why := left_open(policy.admission, _host()):
                raise PolicyRejected(f"admission.require_key: {why}")
            self._house.apply(policy)
            self._has_policy = True
        except PolicyRejected as error:
            if not self._has_policy:
                raise
            logger.error("policy refused, the old one stays: %s", error)
            self._house.refused(policy, str(error))

    async def __serve_build_asgi_app__(self) -> Any:
        """Called once, after the constructor, in the serving loop."""
        context = serve.get_replica_context()
        transports = transports_of(self._maker.args)
        self._house = House(
            self._maker,
            Policy(),
            stages_over(self._stage_handles, self._backend_handles),
            transports,
            replica=context.replica_id.unique_id,
            names_requests=False,
        )
        self._house.instruments.staffing = cluster_view.staffing
        self._house.instruments.engines = partial(cluster_view.loads, transports)
        self._house.start()
        interpreter.calm()
        return self._house.app

    async def __del__(self) -> None:
        if self._house is not None:
            await asyncio.shield(self._house.close())


def _host() -> str:
    """Where Serve listens. `serve deploy` takes any file, so what `serve-app` checks before it
    starts is looked at here once more."""
    client = _get_global_client()
    return str(client.http_config.host) if client is not None else "127.0.0.1"
