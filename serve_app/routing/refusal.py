"""What a caller is told when nothing fits: a route and a query in, a problem out."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.core.types import PlanQuery, Problem
from serve_app.routing.catalog import Model, ModelName
from serve_app.routing.directory import Route, shown
from serve_app.routing.fit import is_too_small, lacking, wanted_tokens


def unknown_model(name: str, known: Sequence[ModelName]) -> Problem:
    shortened = name if len(name) <= 100 else f"{name[:100]}..."
    message = f"There is no model {shortened!r}. Available: {shown([n.id for n in known])}."
    return Problem(404, "model_not_found", message, "model")


def refusal(route: Route, query: PlanQuery) -> Problem:
    """Why a route has no candidate: off, then capability, then length, as far as models got."""
    models = [step.model for step in route.steps]
    on = [model for model in models if not model.off]
    if not on:
        return _nothing_on(models, query)
    able = [model for model in on if not lacking(model, query)]
    if not able:
        return _cannot(on, query)
    if all(is_too_small(model, query) for model in able):
        return _too_long(able, query)
    return _asks_too_much(able, query)


def _nothing_on(models: Sequence[Model], query: PlanQuery) -> Problem:
    if not models:
        return Problem(503, "no_backend", f"No model is configured for {query.model!r}.")
    reasons = dict.fromkeys(f"backend {model.backend!r}: {model.off}" for model in models)
    message = f"No backend is on that could answer: {'; '.join(reasons)}."
    return Problem(503, "no_backend", message)


def _cannot(models: Sequence[Model], query: PlanQuery) -> Problem:
    offered = frozenset[str]().union(*(model.capabilities for model in models))
    nowhere = [name for name in query.needs if name not in offered]
    names = ", ".join(nowhere or query.needs)
    asked = "" if query.model == "auto" else f" for {query.model!r}"
    together = "" if nowhere else " together"
    message = f"No model available{asked} can do {names}{together}."
    return Problem(400, "capability_unsupported", message)


def _too_long(models: Sequence[Model], query: PlanQuery) -> Problem:
    largest = max(model.context for model in models)
    message = (
        f"The largest context available is {largest} tokens, but the request needs about "
        f"{wanted_tokens(query)} ({query.prompt_tokens} in the messages, "
        f"{query.max_output_tokens} for the answer). Shorten the messages or ask for less."
    )
    return Problem(400, "context_length_exceeded", message, "messages")


def _asks_too_much(models: Sequence[Model], query: PlanQuery) -> Problem:
    most = max(model.max_output or 0 for model in models if not is_too_small(model, query))
    message = (
        f"max_tokens is {query.max_output_tokens}, but the longest answer available is {most}."
    )
    return Problem(400, "max_tokens_exceeded", message, "max_tokens")
