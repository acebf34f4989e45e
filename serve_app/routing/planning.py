"""One plan from one route: what fits, in order, with reasons; the rest left out, with reasons."""

from __future__ import annotations

from serve_app.core.plan import Candidate, Exclusion, Plan, PlanQuery
from serve_app.routing.decision import Decision
from serve_app.routing.fit import misfit
from serve_app.routing.load import Load, cost_pico_usd, load_of, micro_usd
from serve_app.routing.order import Ranked, kept_together, ranked
from serve_app.routing.reasons import reason
from serve_app.routing.refusal import refusal
from serve_app.routing.route import Route, Step, told
from serve_app.routing.split import arm_of, in_turn
from serve_app.routing.standing import Standing, Standings


def planned(
    route: Route,
    query: PlanQuery,
    standings: Standings,
    decision: Decision | None,
    *,
    sticky: bool,
) -> Plan:
    """The plan for a request that takes a route.

    Args:
        decision: why it is this route, where the request decided.
        sticky: keep a conversation where it was.
    """
    load = load_of(query)
    fit, excluded = _sifted(route, query, load)
    arm = ""
    if route.strategy == "weighted":
        arm = arm_of(fit, query)
        fit = in_turn(fit, arm)
    entries = ranked(_present(fit, standings, excluded), route.strategy, load)
    apart, note = arm, "the arm drawn"
    if sticky and query.conversation and entries and not arm:
        note = kept_together(entries, route.strategy, query)
        apart = entries[0].step.model.ref
    if not route.fallback:
        entries = _only_first(entries, arm, excluded)
    base = route.reason if decision is None else told(decision.why, route.strategy)
    return Plan(
        candidates=[_candidate(e, route, load, base, apart, note) for e in entries],
        excluded=excluded,
        need=0.0 if decision is None else decision.need,
        signals={} if decision is None else decision.signals,
        tier=route.tier,
        strategy=route.strategy,
        arm=arm,
        problem=None if entries else refusal(route, query, excluded),
    )


def _sifted(route: Route, query: PlanQuery, load: Load) -> tuple[list[Step], list[Exclusion]]:
    """The steps that can take the request, and those that cannot."""
    fit: list[Step] = []
    excluded: list[Exclusion] = []
    for step in route.steps:
        why_not = step.bar or misfit(step.model, query, load.needs, load.wanted)
        if why_not:
            excluded.append(Exclusion(step.model.backend, step.model.id, why_not))
        else:
            fit.append(step)
    return fit, excluded


def _present(
    steps: list[Step], standings: Standings, excluded: list[Exclusion]
) -> list[tuple[Step, Standing]]:
    """The steps that can be asked now, with how they stand; the others are left out."""
    known = standings.now()
    present = []
    for step in steps:
        model = step.model
        standing = known.get(model.ref) or standings.read(model)
        if standing.away:
            excluded.append(Exclusion(model.backend, model.id, standing.away))
        else:
            present.append((step, standing))
    return present


def _only_first(entries: list[Ranked], arm: str, excluded: list[Exclusion]) -> list[Ranked]:
    """The one that a route without fallback asks: the arm of a split, else the first."""
    kept = [entry for entry in entries if entry.step.model.ref == arm] if arm else entries[:1]
    for entry in entries:
        if entry not in kept:
            model = entry.step.model
            excluded.append(Exclusion(model.backend, model.id, "the route has no fallback"))
    return kept


def _candidate(
    entry: Ranked, route: Route, load: Load, base: str, apart: str, note: str
) -> Candidate:
    """A ranked model as a candidate; the one named `apart` has a note of its own."""
    model, standing = entry.step.model, entry.standing
    cost = None
    if standing.price is not None:
        cached = model.ref == load.warm
        cost = micro_usd(cost_pico_usd(standing.price, load.prompt, load.answer, cached))
    return Candidate(
        model.backend,
        model.id,
        reason(entry, route.strategy, base, note if model.ref == apart else ""),
        model.context,
        "prefix" in model.capabilities,
        cost,
        standing.first_token_s,
    )
