"""A register of behaviours by the name of the model, one for each side of the provider."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from acting import Behaviour
from connection import Exchange, Request


class Registry:
    """Behaviours in the order they were registered; the first that matches is played."""

    def __init__(self) -> None:
        self._known: list[tuple[re.Pattern[str], Behaviour]] = []

    def behaves(self, pattern: str) -> Callable[[Behaviour], Behaviour]:
        """Register a behaviour for names that match; groups become further arguments."""

        def register(behaviour: Behaviour) -> Behaviour:
            self._known.append((re.compile(pattern), behaviour))
            return behaviour

        return register

    async def play(
        self,
        name: str,
        body: dict[str, Any],
        exchange: Exchange,
        request: Request,
        *,
        otherwise: Behaviour,
    ) -> None:
        for pattern, behaviour in self._known:
            if match := pattern.fullmatch(name):
                await behaviour(body, exchange, request, *match.groups())
                return
        await otherwise(body, exchange, request)
