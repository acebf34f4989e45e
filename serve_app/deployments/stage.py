"""The Ray shell of a stage that is its own deployment: bytes in, bytes out."""

from __future__ import annotations

import logging
import os
from typing import Any

import msgspec
from ray import serve

from serve_app.cache.base import METHODS as CACHE
from serve_app.compose import Maker
from serve_app.compose.logs import adjust_log, begin_log
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs
from serve_app.core.errors import PolicyRejected
from serve_app.deployments import interpreter
from serve_app.deployments.classifier_hop import classifier_app
from serve_app.deployments.policies import checked
from serve_app.filters.base import METHODS as FILTER
from serve_app.routing.base import METHODS as ROUTER
from serve_app.vitals.sharing import Sharing

logger = logging.getLogger(__name__)

METHODS: dict[str, dict[str, tuple[Any, Any]]] = {
    "filter": FILTER,
    "cache": CACHE,
    "router": ROUTER,
}


class StageReplica:
    """One replica of the filter, the cache or the router.

    Args:
        stage: `filter`, `cache` or `router`.
        args: `GatewayArgs` as plain data.
    """

    def __init__(self, stage: str, args: dict[str, Any]) -> None:
        begin_log()
        self._name = stage
        self._maker = Maker(GatewayArgs.model_validate(args), os.environ, classifier_app)
        self._decoders = {
            method: msgspec.msgpack.Decoder(list[given])  # type: ignore[valid-type]
            for method, (given, _) in METHODS[stage].items()
        }
        self._stage: Any = None
        self._sharing: Sharing | None = None
        """A router plans by what the ingress replicas see."""

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Take a policy; a bad one is refused, and fatal only where there is none before."""
        try:
            policy = checked(user_config)
            adjust_log(policy.logs)
            if self._stage is None:
                self._stage = self._made(policy)
            else:
                self._reconfigure(policy)
        except PolicyRejected as error:
            if self._stage is None:
                raise
            logger.error("policy refused, the old one stays: %s", error)

    def _reconfigure(self, policy: Policy) -> None:
        if self._name == "router":
            judge = self._maker.judge(policy.routing)
            self._maker.take_prices(policy)
            self._stage.reconfigure(policy.routing)
            self._stage.judge = judge
        else:
            self._stage.reconfigure(getattr(policy, self._name))

    async def call(self, method: str, payload: bytes) -> bytes:
        """Run one batch: msgpack of inputs in, msgpack of outputs out."""
        if self._stage is None:
            self._stage = self._made(Policy())
        batch = self._decoders[method].decode(payload)
        return msgspec.msgpack.encode(await getattr(self._stage, method)(batch))

    def _made(self, policy: Policy) -> Any:
        made = getattr(self._maker, self._name)(policy)
        if self._name == "router":
            self._sharing = self._maker.sharing(serve.get_replica_context().replica_id.unique_id)
            self._sharing.start()
        if self._name == "cache":
            made.start()
        interpreter.calm()
        return made

    async def __del__(self) -> None:
        if self._sharing is not None:
            await self._sharing.close()
        if self._name == "cache" and self._stage is not None:
            await self._stage.close()
        await self._maker.close()
