"""Puts the models of a route that fit in order: steps and standings in, ranked ones out.

In this order counts: how the model is doing (`standing.py`), its group in the route, whether
many of its calls fail, the figure of the strategy, its place in the configuration.

**Sticky.** Models that are alike in the first three are peers: equally well, equally good
enough. With a conversation known, two things come before the figure, among the peers of the
first model only:

1. The model that answered the conversation last (`warm`) goes first: it may still hold the
   prompt in its cache. Each replica knows that only of the answers it gave itself.
2. Without it, peers whose figures are as good as equal are put in order by a lot drawn from the
   conversation, which falls the same on every replica (and spreads conversations over them).

So that all replicas agree without talking to each other, nothing else that the order depends on
changes while a tool loop runs: the tier comes from the last user text and the tokens up to it
(`decision.py`), costs are compared for the prompt as it was then (`load.py`), and times count as
equal within `SAME_PACE`, as they are never measured equal twice. What does move a loop is its
model failing, going away, or running into a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from operator import attrgetter
from typing import Final

from msgspec import Struct

from serve_app.core.plan import PlanQuery
from serve_app.routing.load import Load, cost_pico_usd
from serve_app.routing.lot import lot
from serve_app.routing.route import Step
from serve_app.routing.standing import FULL, Standing

SAME_PACE: Final = 1.25
"""Expected times that differ by less are taken for equal when a conversation draws its lot."""


Key = tuple[int, int, bool, float, int]
"""What models are sorted by: level, group, whether many calls fail, the strategy's figure (pico-USD
or seconds, infinite where it is not known), and the place in the route, which is unique."""


class Ranked(Struct, frozen=True, gc=False):
    """One model in its place."""

    key: Key
    step: Step
    standing: Standing
    figure: float
    why: str
    """What there is to say about how it is doing; empty if nothing."""


def _cost(step: Step, standing: Standing, load: Load) -> float:
    if standing.price is None:
        return inf
    cached = step.model.ref == load.warm
    return cost_pico_usd(standing.price, load.ranked, load.answer, cached)


def _time(step: Step, standing: Standing, load: Load) -> float:
    return standing.start_s + load.answer * standing.token_s


_FIGURES: Final[dict[str, Callable[[Step, Standing, Load], float]]] = {
    "cheapest": _cost,
    "fastest": _time,
}
"""Of strategies that measure; the others go by places alone."""


_by_key: Final = attrgetter("key")


def ranked(steps: Sequence[tuple[Step, Standing]], strategy: str, load: Load) -> list[Ranked]:
    """The steps in order, none left out."""
    figure_of = _FIGURES.get(strategy)
    counts_shaky = strategy != "weighted"  # an arm keeps its share as long as it can be asked
    wanted, entries = load.wanted, []
    for place, (step, standing) in enumerate(steps):
        level, why, left = standing.level, standing.why, standing.tokens_left
        if left is not None and left < wanted and level < FULL:
            level, why = FULL, _over_limit(standing, load)
        figure = 0.0 if figure_of is None else figure_of(step, standing, load)
        key = (level, step.group, standing.shaky and counts_shaky, figure, place)
        entries.append(Ranked(key, step, standing, figure, why))
    entries.sort(key=_by_key)
    return entries


def kept_together(entries: list[Ranked], strategy: str, query: PlanQuery) -> str:
    """Move what belongs to the conversation to the front; says why the first one stands there."""
    peers = _peers(entries)
    if query.warm:
        for place in range(peers):
            if entries[place].step.model.ref == query.warm:
                entries.insert(0, entries.pop(place))
                return "answered this conversation last"
    equal = _as_good(entries[:peers], strategy)
    if equal == 1:
        return ""
    entries[:equal] = _drawn(entries[:equal], query.conversation)
    return f"drawn for this conversation among {equal} as good"


def _peers(entries: Sequence[Ranked]) -> int:
    """How many at the front are as well, as good enough and as steady as the first."""
    head = entries[0].key[:3]
    for place, entry in enumerate(entries):
        if entry.key[:3] != head:
            return place
    return len(entries)


def _as_good(peers: Sequence[Ranked], strategy: str) -> int:
    """How many at the front have about the figure of the first; 1 where figures say nothing."""
    limit = peers[0].figure
    if strategy not in _FIGURES or limit == inf:
        return 1
    if strategy == "fastest":
        limit *= SAME_PACE
    for place, entry in enumerate(peers):
        if entry.figure > limit:
            return place
    return len(peers)


def _drawn(entries: Sequence[Ranked], seed: str) -> list[Ranked]:
    return sorted(entries, key=lambda entry: lot(seed, entry.step.model.ref), reverse=True)


def _over_limit(standing: Standing, load: Load) -> str:
    return (
        f"moved back: its rate limit allows {standing.tokens_left} tokens for "
        f"{standing.resets_in_s:.0f} s, request needs about {load.wanted}"
    )
