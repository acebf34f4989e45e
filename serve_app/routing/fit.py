"""Whether one model can take one request: a model and a query in, the reason why not out.

Only what stays as it is: how the model is doing at the moment is in `standing.py`.
"""

from __future__ import annotations

from serve_app.core.plan import PlanQuery
from serve_app.routing.catalog import Model


def misfit(model: Model, query: PlanQuery, needs: frozenset[str], wanted: int) -> str:
    """Why the model will not do, empty if it will.

    Args:
        needs: those of the query, as a set.
        wanted: `wanted_tokens(query)`.
    """
    if model.endpoint != query.endpoint:
        return f"cannot do {query.endpoint}"
    if not needs <= model.capabilities:
        return f"cannot do {', '.join(lacking(model, query))}"
    if wanted > model.context and not query.may_shorten:
        return f"context of {model.context} tokens, request needs about {wanted}"
    if model.max_output is not None and query.max_output_tokens > model.max_output:
        return f"answers up to {model.max_output} tokens, asked for {query.max_output_tokens}"
    return ""


def lacking(model: Model, query: PlanQuery) -> list[str]:
    """The capabilities that the query needs and the model has not."""
    return [name for name in query.needs if name not in model.capabilities]


def wanted_tokens(query: PlanQuery) -> int:
    """Tokens of the prompt and of the longest answer that it may have."""
    return query.prompt_tokens + query.max_output_tokens


def is_too_small(model: Model, query: PlanQuery) -> bool:
    return not query.may_shorten and wanted_tokens(query) > model.context


def gives_too_little(model: Model, query: PlanQuery) -> bool:
    return model.max_output is not None and query.max_output_tokens > model.max_output
