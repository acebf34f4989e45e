"""What a caller is told when nothing fits: a route and a query in, a problem out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from serve_app.core.plan import Exclusion, PlanQuery, Problem
from serve_app.routing.catalog import Model, ModelName, shown
from serve_app.routing.fit import gives_too_little, is_too_small, lacking, wanted_tokens
from serve_app.routing.route import BARRED, Route


def unknown_model(name: str, known: Sequence[ModelName]) -> Problem:
    shortened = name if len(name) <= 100 else f"{name[:100]}..."
    message = f"There is no model {shortened!r}. Available: {shown([n.id for n in known])}."
    return Problem(404, "model_not_found", message, "model")


def refusal(route: Route, query: PlanQuery, excluded: Sequence[Exclusion]) -> Problem:
    """Why a route has no candidate, as far as its models got: off, kind, capability, length,
    and last that those which would do are away."""
    on = [step.model for step in route.steps if not step.bar]
    if not on:
        return _nothing_on(route, query)
    of_kind = [model for model in on if model.endpoint == query.endpoint]
    if not of_kind:
        return _unsupported(query, query.endpoint)
    able = [model for model in of_kind if not lacking(model, query)]
    if not able:
        return _cannot(of_kind, query)
    large = [model for model in able if not is_too_small(model, query)]
    if not large:
        return _too_long(able, query)
    if all(gives_too_little(model, query) for model in large):
        return _asks_too_much(large, query)
    return _away(large, excluded)


def _nothing_on(route: Route, query: PlanQuery) -> Problem:
    if not route.steps:
        if query.endpoint == "embeddings":
            return _unsupported(query, query.endpoint)
        return Problem(503, "no_backend", f"No model is configured for {query.model!r}.")
    if any(step.bar == BARRED for step in route.steps):
        message = f"{query.model!r} cannot be used: {BARRED}."
        return Problem(400, "model_not_allowed", message, "model")
    return _no_backend("is on", (f"backend {s.model.backend!r}: {s.bar}" for s in route.steps))


def _away(models: Sequence[Model], excluded: Sequence[Exclusion]) -> Problem:
    refs = {model.ref for model in models}
    gone = (e for e in excluded if f"{e.backend}/{e.model}" in refs)
    return _no_backend("is there", (f"backend {e.backend!r}: {e.reason}" for e in gone))


def _no_backend(state: str, reasons: Iterable[str]) -> Problem:
    listed = "; ".join(dict.fromkeys(reasons))
    return Problem(503, "no_backend", f"No backend {state} that could answer: {listed}.")


def _cannot(models: Sequence[Model], query: PlanQuery) -> Problem:
    offered = frozenset[str]().union(*(model.capabilities for model in models))
    nowhere = [name for name in query.needs if name not in offered]
    names = ", ".join(nowhere or query.needs)
    return _unsupported(query, names if nowhere else f"{names} together")


def _unsupported(query: PlanQuery, what: str) -> Problem:
    asked = "" if query.model == "auto" else f" for {query.model!r}"
    message = f"No model available{asked} can do {what}."
    return Problem(400, "capability_unsupported", message)


def _too_long(models: Sequence[Model], query: PlanQuery) -> Problem:
    largest = max(model.context for model in models)
    message = (
        f"The largest context available is {largest} tokens, but the request needs about "
        f"{wanted_tokens(query)} ({query.prompt_tokens} in the messages, "
        f"{query.max_output_tokens} for the answer). Shorten the messages or ask for less."
    )
    field = "messages" if query.endpoint == "chat" else "input"
    return Problem(400, "context_length_exceeded", message, field)


def _asks_too_much(models: Sequence[Model], query: PlanQuery) -> Problem:
    most = max(model.max_output or 0 for model in models)
    message = (
        f"max_tokens is {query.max_output_tokens}, but the longest answer available is {most}."
    )
    return Problem(400, "max_tokens_exceeded", message, "max_tokens")
