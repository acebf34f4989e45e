"""What the policy says about the answers to one request: a tenant, a model and a path in."""

from __future__ import annotations

from msgspec import Struct

from serve_app.config.policy import CachePolicy, CacheRule
from serve_app.core.types import ChatRequest

_REMEMBERED = 4096

_SHARED = "\x1f"
"""No tenant's name has a control character."""


class Keeping(Struct, frozen=True):
    """How answers are kept."""

    scope: str
    """Whose they are: a tenant, or tenants that share them under a name."""
    enabled: bool
    ttl_s: int
    result_ttl_s: int
    stale_s: int
    semantic: bool
    semantic_ttl_s: int

    def life_s(self, request: ChatRequest) -> int:
        """Seconds for which an answer is fresh.

        Answers that are meant to be the same each time live for `ttl_s`. Those drawn at random
        (temperature above 0) or that may trigger actions (tools) live for `result_ttl_s`.
        """
        params = request.params
        repeatable = not params.temperature and not params.tools
        return self.ttl_s if repeatable else self.result_ttl_s

    def by_likeness(self, request: ChatRequest) -> bool:
        """Whether an answer to an alike question may do. A tool call names what was asked for
        exactly, so it never does where there are tools."""
        return self.semantic and not request.params.tools and request.endpoint == "chat"


class Rulebook:
    """Finds the rule for a request; the first that matches holds."""

    def __init__(self, policy: CachePolicy) -> None:
        self._policy = policy
        self._known: dict[tuple[str, str, str], Keeping] = {}

    def of(self, tenant: str, model: str, path: str) -> Keeping:
        """How answers to this are kept.

        Args:
            model: as the caller named it.
        """
        asked = (tenant, model, path)
        found = self._known.get(asked)
        if found is None:
            if len(self._known) >= _REMEMBERED:  # names of models come from outside
                self._known.clear()
            found = self._known[asked] = self._find(tenant, model, path)
        return found

    def _find(self, tenant: str, model: str, path: str) -> Keeping:
        rules = self._policy.rules
        rule = next((rule for rule in rules if _matches(rule, tenant, model, path)), CacheRule())
        policy = self._policy
        semantic = policy.semantic.enabled if rule.semantic is None else rule.semantic
        return Keeping(
            scope=tenant if rule.shared is None else f"{_SHARED}{rule.shared}",
            enabled=policy.enabled and rule.enabled is not False,
            ttl_s=rule.ttl_s or policy.ttl_s,
            result_ttl_s=rule.result_ttl_s or policy.result_ttl_s,
            stale_s=policy.stale_s if rule.stale_s is None else rule.stale_s,
            semantic=semantic,
            semantic_ttl_s=rule.semantic_ttl_s or policy.semantic.ttl_s,
        )


def _matches(rule: CacheRule, tenant: str, model: str, path: str) -> bool:
    return (
        (not rule.tenants or tenant in rule.tenants)
        and (not rule.models or any(_names(pattern, model) for pattern in rule.models))
        and (not rule.paths or path in rule.paths)
    )


def _names(pattern: str, model: str) -> bool:
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return model == pattern
