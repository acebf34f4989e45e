"""Why a model stands where it stands, in words: a ranked model in, a line for the trail out."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Final

from serve_app.routing.load import PICO_A_MICRO
from serve_app.routing.order import Ranked


def _cheapest(entry: Ranked) -> str:
    if entry.step.model.local:
        return "; cheapest: local, costs nothing"
    if entry.figure == inf:
        return "; cheapest: price not known"
    return f"; cheapest: about {entry.figure / PICO_A_MICRO:.2f} micro-USD"


def _fastest(entry: Ranked) -> str:
    return f"; fastest: about {entry.figure:.2f} s ({entry.standing.pace})"


_FIGURES: Final[dict[str, Callable[[Ranked], str]]] = {
    "cheapest": _cheapest,
    "fastest": _fastest,
}
"""Of strategies with a figure for each model; routes tell what there is to say of the others."""


def reason(entry: Ranked, strategy: str, base: str, note: str) -> str:
    """Tier or name, strategy and figure, and what moved it.

    Args:
        base: of models that the route gives no reason of their own.
        note: what sets this one apart from its equals; empty if nothing does.
    """
    said = entry.step.place or base
    figure = _FIGURES.get(strategy)
    if figure is not None:
        said += figure(entry)
    if note:
        said = f"{said}; {note}"
    return f"{said}; {entry.why}" if entry.why else said
