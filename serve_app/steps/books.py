"""What a reply came to: its usage counted, its cost worked out, both handed to the ledger."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from serve_app.accounting.ledger import Ledger
from serve_app.accounting.meter import cached_tokens, cost_micro_usd, count_usage
from serve_app.backends.execute import Answer, Broken
from serve_app.core.limits import Lease
from serve_app.core.plan import Plan
from serve_app.core.settlement import Settlement, Status
from serve_app.core.types import Usage
from serve_app.flights.base import Outcome
from serve_app.passage import Facts, Passage
from serve_app.routing.estimate import estimate_tokens
from serve_app.steps.tally import Tally
from serve_app.wire import openai


class Books:
    """Settles requests. Never waits: it runs while callers leave.

    Args:
        tell: told of each settlement besides the ledger.
    """

    def __init__(self, ledger: Ledger, tell: Callable[[Settlement], object]) -> None:
        self._ledger = ledger
        self._tell = tell

    def answered(
        self, way: Passage, tally: Tally, answer: Answer, status: Status, lease: Lease | None
    ) -> None:
        """A backend's reply is over. The caller sees the usage of one answer; paid is what each
        provider charges: what attempts that broke off had delivered, too, and what the last one
        was given to go on from as a part of its prompt.

        Args:
            lease: what is used is charged to it.
        """
        facts = way.facts
        facts.usage = tally.usage or _counted(way, tally)
        paid = _paid(facts.usage, answer.given_tokens if tally.usage else 0)
        facts.cost_micro_usd = _cost(way, facts.model, paid)
        self._enter(way, facts, paid, status, lease)
        _charge(lease, paid, facts.cost_micro_usd)
        for part in answer.broken:
            self._enter_broken(way, part, lease)

    def unanswered(self, way: Passage, plan: Plan, status: Status) -> None:
        """No backend began to answer; nothing is known to have been used."""
        first = plan.candidates[0]
        asked = Facts(way.facts.identity, backend=first.backend, model=first.model)
        self._enter(way, asked, Usage(), status, way.lease)

    def replayed(self, way: Passage, usage: Usage, saved_micro_usd: int) -> None:
        """The cache answered: it costs nothing and saves what the answer had cost."""
        way.facts.usage, way.facts.saved_micro_usd = usage, saved_micro_usd
        self._enter(way, way.facts, usage, "ok", way.lease)

    def shared(self, way: Passage, outcome: Outcome) -> None:
        """The call of an equal request answered: it is paid for there."""
        facts = way.facts
        facts.cache, facts.attempts = "flight", 0
        facts.backend, facts.model = outcome.backend, outcome.model
        usage = Usage.of(outcome.prompt_tokens, outcome.completion_tokens)
        self.replayed(way, usage, outcome.cost_micro_usd)

    def _enter_broken(self, way: Passage, part: Broken, lease: Lease | None) -> None:
        name = part.candidate
        usage = Usage.of(part.prompt_tokens, part.completion_tokens)
        cost = _cost(way, name.model, usage)
        spent = Facts(way.facts.identity, backend=name.backend, model=name.model)
        spent.cost_micro_usd = cost
        self._enter(way, spent, usage, "ok", lease, requests=0)
        way.facts.cost_micro_usd += cost
        _charge(lease, usage, cost)

    def _enter(
        self,
        way: Passage,
        facts: Facts,
        usage: Usage,
        status: Status,
        lease: Lease | None,
        *,
        requests: int = 1,
    ) -> None:
        """
        Args:
            facts: of the part of the request that is entered.
        """
        identity, ask = facts.identity, way.ask
        settled = Settlement(
            tenant=identity.tenant,
            user=identity.user,
            model=facts.model,
            backend=facts.backend,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_micro_usd=facts.cost_micro_usd,
            cache_level=facts.cache,
            saved_micro_usd=facts.saved_micro_usd,
            status=status,
            requests=requests,
            key_id=identity.key_id,
            team=identity.team,
            route=ask.path,
            request_id=ask.trail.request_id,
            once=ask.once,
            is_batch=ask.priority == "batch",
            cached_tokens=min(cached_tokens(usage), usage.prompt_tokens),
            tier=way.tier,
        )
        self._ledger.record(settled, lease)
        self._tell(settled)


def _charge(lease: Lease | None, usage: Usage, cost_micro_usd: int) -> None:
    if lease is not None:
        lease.charge(usage.prompt_tokens, usage.completion_tokens, cost_micro_usd)


def _paid(usage: Usage, given_tokens: int) -> Usage:
    moved = min(given_tokens, usage.completion_tokens)
    if not moved:
        return usage
    prompt, completion = usage.prompt_tokens + moved, usage.completion_tokens - moved
    return replace(usage, prompt_tokens=prompt, completion_tokens=completion)


def _cost(way: Passage, model: str, usage: Usage) -> int:
    price = way.rules.prices.price(model)
    if price is None:
        return 0
    return cost_micro_usd(price, usage, is_batch=way.ask.priority == "batch")


def _counted(way: Passage, tally: Tally) -> Usage:
    """Usage where the backend gave none: counted by the same rule the router uses."""
    texts = openai.texts_of(way.request, way.facts.identity.tenant).texts
    return count_usage(texts, tally.tokens(estimate_tokens), estimate_tokens)
