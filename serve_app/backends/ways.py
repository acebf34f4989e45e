"""Who may go on with an answer that broke off, in which order, and from where."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import NamedTuple

from serve_app.backends.errand import Errand
from serve_app.backends.seam import beginning
from serve_app.core.plan import Candidate
from serve_app.core.types import ChatParams


class Way(NamedTuple):
    """A candidate, and the beginning that it is handed to go on from; empty: it begins anew."""

    candidate: Candidate
    prefix: str


def ways(errand: Errand, broken: Candidate, text: str, given_up: Set[Candidate]) -> Iterator[Way]:
    """Whom to ask, and how, in order.

    Those that go on come first, the broken one before the others. Nobody is asked who failed
    before the answer broke off.

    Args:
        text: what the caller has.
        given_up: those that shall not begin anew; may grow meanwhile.
    """
    plan, params = errand.plan.candidates, errand.tries.request.params
    at = plan.index(broken)
    failed = {failure.candidate for failure in errand.tries.failures}
    later = [c for c in plan[at + 1 :] if c not in failed]
    earlier = [c for c in plan[:at] if c not in failed]
    if prefix := _prefix(params, text):
        yield from (Way(c, prefix) for c in (broken, *later, *earlier) if c.prefix)
    later.sort(key=lambda c: c.model != broken.model)  # the likeliest to say the same
    first = (broken, *later) if _repeats_itself(params) else (*later, broken)
    yield from (Way(c, "") for c in (*first, *earlier) if c not in given_up)


def _prefix(params: ChatParams, text: str) -> str:
    """What can be handed over to go on from; empty: nothing."""
    if (params.response_format or {}).get("type", "text") != "text":
        return ""  # a grammar would begin anew
    if params.messages and params.messages[-1].role == "assistant":
        return ""  # the caller has begun the answer already
    return beginning(text)


def _repeats_itself(params: ChatParams) -> bool:
    """True if the one that broke off will likely say the same again."""
    return params.temperature == 0 or params.seed is not None
