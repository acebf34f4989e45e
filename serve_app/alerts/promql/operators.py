"""Arithmetic, comparisons and sets of numbers and vectors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final

from serve_app.alerts.base import Labels
from serve_app.alerts.promql.nodes import COMPARISONS, Matching

Vector = dict[Labels, float]
Value = float | Vector


class CannotMatch(Exception):
    """Two series of a vector have the same labels, so that it is not clear which is meant."""


def _divide(left: float, right: float) -> float:
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _modulo(left: float, right: float) -> float:
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        raised = left**right
    except OverflowError:
        return math.inf if left > 0 or right % 2 == 0 else -math.inf
    except ZeroDivisionError:
        return math.inf
    return raised if isinstance(raised, float) else math.nan


_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": _divide, "%": _modulo, "^": _power,
}  # fmt: skip
_COMPARISON: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt,
    ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


def applied(op: str, left: Value, right: Value, matching: Matching, *, as_bool: bool) -> Value:
    """What an operator makes of its sides. A comparison keeps what it holds for, unless `as_bool`.

    Raises:
        CannotMatch
    """
    if isinstance(left, dict) and isinstance(right, dict):
        if op in ("and", "or", "unless"):
            return _set(op, left, right, matching)
        return _both(op, left, right, matching, as_bool=as_bool)
    if isinstance(left, dict) and isinstance(right, float):
        number = right
        return _each(op, left, lambda value: (value, number), as_bool=as_bool)
    if isinstance(left, float) and isinstance(right, dict):
        number = left
        return _each(op, right, lambda value: (number, value), as_bool=as_bool)
    assert isinstance(left, float)
    assert isinstance(right, float)
    return (
        float(_COMPARISON[op](left, right)) if op in COMPARISONS else _ARITHMETIC[op](left, right)
    )


def _each(
    op: str, vector: Vector, sides: Callable[[float], tuple[float, float]], *, as_bool: bool
) -> Vector:
    """A vector and a number."""
    if op not in COMPARISONS:
        return {labels: _ARITHMETIC[op](*sides(value)) for labels, value in vector.items()}
    holds = _COMPARISON[op]
    if as_bool:
        return {labels: float(holds(*sides(value))) for labels, value in vector.items()}
    return {labels: value for labels, value in vector.items() if holds(*sides(value))}


def _both(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    """Two vectors, one to one; the labels that were compared stay."""
    others = _by_key(right, matching)
    found: Vector = {}
    for key, value in _by_key(left, matching).items():
        if key not in others:
            continue
        if op not in COMPARISONS:
            found[key] = _ARITHMETIC[op](value, others[key])
        elif as_bool:
            found[key] = float(_COMPARISON[op](value, others[key]))
        elif _COMPARISON[op](value, others[key]):
            found[key] = value
    return found


def _by_key(vector: Vector, matching: Matching) -> Vector:
    found: Vector = {}
    for labels, value in vector.items():
        key = matching.key(labels)
        if key in found:
            raise CannotMatch(f"several series have the labels {dict(key)}")
        found[key] = value
    return found


def _set(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    if op == "or":
        there = {matching.key(labels) for labels in left}
        return left | {k: v for k, v in right.items() if matching.key(k) not in there}
    there = {matching.key(labels) for labels in right}
    return {k: v for k, v in left.items() if (matching.key(k) in there) is (op == "and")}
