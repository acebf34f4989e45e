"""Everything that one policy decides, ready for use."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from serve_app import __version__
from serve_app.config.policy import FilterPolicy
from serve_app.filters.selection import Rule, Selection


class RuleSet:
    """The rules of a policy, by whom they hold for. What it decides never changes, so threads
    may share it.

    Args:
        rules: all of them, in order.
    """

    def __init__(self, policy: FilterPolicy, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._digest = _digest(policy, rules) if policy.enabled else ""
        self._tenants = frozenset(t for rule in rules for t in rule.head.tenants)
        self._paths = frozenset(p for rule in rules for p in rule.head.paths)
        self._selections: dict[tuple[str, str], Selection] = {}

    def selected(self, tenant: str, path: str) -> Selection:
        """The rules that hold for a tenant and a path."""
        # Those that no rule names are all alike, so that there are only so many selections.
        key = (tenant if tenant in self._tenants else "", path if path in self._paths else "")
        selection = self._selections.get(key)
        if selection is None:
            rules = [rule for rule in self._rules if rule.head.holds_for(*key)]
            selection = self._selections[key] = Selection(rules, self._digest)
        return selection


def _digest(policy: FilterPolicy, rules: Sequence[Rule]) -> str:
    """Changes with whatever decides what is let through: policy, words, keys, our own patterns."""
    parts = [__version__, policy.model_dump_json(), *(rule.digest for rule in rules)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
