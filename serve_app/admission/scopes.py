"""Whose limits hold for a request: a policy in, for each caller and model the scopes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from serve_app.config.policy import AdmissionPolicy, LimitPolicy, LimitRule
from serve_app.core.errors import PolicyRejected
from serve_app.core.limits import NO_MONEY, Allowance, Scope
from serve_app.core.types import Identity
from serve_app.store import keys

_REMEMBERED = 4096
_RATES = (
    "requests_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "tokens_per_minute",
    "parallel",
    "tokens_per_request",
)


class Scopes(Struct, frozen=True):
    """All that limits one request."""

    counted: tuple[Scope, ...] = ()
    tokens_per_request: int = 0
    """0: no limit."""


class ScopeBook:
    """Scopes of callers under one policy.

    Args:
        together: whether all tenants' books stand in one slot of Redis.

    Raises:
        PolicyRejected: a limit over several tenants, and books by tenant.
    """

    def __init__(self, policy: AdmissionPolicy, *, together: bool) -> None:
        self._rules = [*policy.limits, *_short(policy)]
        self._together = together
        self._known: dict[tuple[Identity, str, LimitPolicy | None, str], Scopes] = {}
        if not together:
            _check_tenants(policy.limits)

    def of(
        self,
        identity: Identity,
        model: str,
        own: LimitPolicy | None = None,
        account: str = "",
    ) -> Scopes:
        """What limits a request.

        Args:
            model: as requested, aliases resolved; empty: of none.
            own: limits of the caller's key.
            account: what is counted per key counts under this name; empty: the key's id.
        """
        asked = (identity, model, own, account)
        found = self._known.get(asked)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[asked] = self._find(identity, model, own, account)
        return found

    def _find(
        self, identity: Identity, model: str, own: LimitPolicy | None, account: str
    ) -> Scopes:
        if account:
            identity = replace(identity, key_id=account)
        by_scope: dict[tuple[str, ...], tuple[str, list[LimitPolicy]]] = {}
        if own is not None:
            by_scope[_scope(_OWN, identity, model)] = ("per key", [own])
        for rule in self._rules:
            if _holds(rule, identity, model):
                scope = _scope(rule, identity, model)
                by_scope.setdefault(scope, (_named(rule), []))[1].append(rule)
        owner = keys.TOGETHER if self._together else identity.tenant
        merged = [(scope, name, _merged(some)) for scope, (name, some) in by_scope.items()]
        longest = [m.tokens_per_request for _, _, m in merged if m.tokens_per_request]
        made = [_made(owner, scope, name, limits) for scope, name, limits in merged]
        return Scopes(tuple(s for s in made if s is not None), min(longest, default=0))


_OWN = LimitRule(per=["key"])


def _short(policy: AdmissionPolicy) -> list[LimitRule]:
    """What `user_rpm` and `key_rpm` stand for; they do not limit an open house."""
    if not policy.require_key:
        return []
    pairs = (("user", policy.user_rpm), ("key", policy.key_rpm))
    return [LimitRule(per=[per], requests_per_minute=rpm) for per, rpm in pairs if rpm]  # type: ignore[list-item]


def _check_tenants(rules: Sequence[LimitRule]) -> None:
    for number, rule in enumerate(rules):
        if not {"key", "user", "team", "tenant"} & set(rule.per):
            raise PolicyRejected(
                f"admission.limits[{number}].per: {rule.per} counts several tenants together, "
                "which needs args.ledger.slot: one"
            )


def _holds(rule: LimitRule, identity: Identity, model: str) -> bool:
    if rule.tenants and identity.tenant not in rule.tenants:
        return False
    if "team" in rule.per and not identity.team:
        return False
    if "key" in rule.per and not identity.key_id:
        return False
    return not rule.models or any(_is_named(pattern, model) for pattern in rule.models)


def _is_named(pattern: str, model: str) -> bool:
    """Whether a rule means a model by its own name, with its backend's before it, or not."""
    if pattern.endswith("*"):
        return model.startswith(pattern[:-1])
    return model in (pattern, pattern.partition("/")[2])


def _scope(rule: LimitRule, identity: Identity, model: str) -> tuple[str, ...]:
    """A scope's name in Redis. Names of models that a rule lists are counted together."""
    values = {
        "key": identity.key_id,
        "user": identity.user,
        "team": identity.team,
        "tenant": identity.tenant,
        "model": model,
    }
    per = set(rule.per)
    if per & {"key", "user", "team"}:
        per.add("tenant")
    named = [f"{what}={values[what]}" for what in sorted(per)]
    listed = [] if "model" in per else [f"of={name}" for name in sorted(rule.models)]
    return (*named, *listed) or ("all",)


def _named(rule: LimitRule) -> str:
    who = f"per {' and '.join(rule.per)}" if rule.per else "for all together"
    if rule.models and "model" not in rule.per:
        return f"{who} of {', '.join(rule.models)}"
    return who


def _merged(limits: Iterable[LimitPolicy]) -> LimitPolicy:
    """The first that says something about a limit counts."""
    values: dict[str, object] = {}
    for some in limits:
        for name in (*_RATES, "budget"):
            value = getattr(some, name)
            if value is not None:
                values.setdefault(name, value)
    return LimitPolicy.model_construct(**values)  # type: ignore[arg-type]


def _made(owner: str, scope: tuple[str, ...], name: str, limits: LimitPolicy) -> Scope | None:
    allowance = allowance_of(limits)
    if allowance == Allowance():
        return None
    state, holds = keys.scope_state(owner, scope), keys.scope_holds(owner, scope)
    return Scope(name, state, holds, allowance, allowance.packed(), ",".join(scope))


def allowance_of(limits: LimitPolicy) -> Allowance:
    """Limits as the ledger takes them."""
    budget = limits.budget
    rates = Allowance(
        requests=limits.requests_per_minute or 0,
        input=limits.input_tokens_per_minute or 0,
        output=limits.output_tokens_per_minute or 0,
        tokens=limits.tokens_per_minute or 0,
        parallel=limits.parallel or 0,
    )
    if budget is None:
        return rates
    return replace(
        rates,
        day=_micro(budget.day),
        week=_micro(budget.week),
        month=_micro(budget.month),
        total=_micro(budget.total),
        soft=round(budget.soft * 100),
        cheaper=budget.at_soft == "cheaper",
    )


def _micro(usd: Decimal | None) -> int:
    return NO_MONEY if usd is None else int(usd * 1_000_000)
