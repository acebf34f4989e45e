"""What an expression comes to at a moment, over a window of snapshots.

Series come without the name of their metric, which alerts have no use for. Otherwise results are
those of Prometheus; docs/alerts.md says what is not understood.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from serve_app.alerts.base import Labels
from serve_app.alerts.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Matching,
    Negative,
    Node,
    Number,
    Selector,
)
from serve_app.alerts.promql.operators import CannotMatch, Value, Vector, applied
from serve_app.alerts.promql.quantile import histogram_quantile
from serve_app.alerts.promql.ranges import COUNTERS, OVER
from serve_app.alerts.promql.window import Window

__all__ = ["CannotMatch", "Value", "Vector", "evaluate"]


def evaluate(node: Node, window: Window, at: float) -> Value:
    """
    Args:
        at: Unix seconds.

    Raises:
        CannotMatch: an operator cannot tell which series of two vectors belong together.
    """
    match node:
        case Number():
            return node.value
        case Selector():
            return window.now(node.name, at - node.offset_s, _fits(node))
        case Negative():
            inner = evaluate(node.of, window, at)
            return {k: -v for k, v in inner.items()} if isinstance(inner, dict) else -inner
        case Aggregate():
            return _aggregated(node, _vector(node.of, window, at))
        case Call():
            return _called(node, window, at)
        case Binary():
            left, right = evaluate(node.left, window, at), evaluate(node.right, window, at)
            return applied(node.op, left, right, node.matching, as_bool=node.as_bool)


def _fits(selector: Selector) -> Callable[[Labels], bool]:
    matchers = selector.matchers
    return lambda labels: all(matcher.fits(labels) for matcher in matchers)


def _vector(node: Node, window: Window, at: float) -> Vector:
    value = evaluate(node, window, at)
    assert isinstance(value, dict)
    return value


def _number(node: Node, window: Window, at: float) -> float:
    value = evaluate(node, window, at)
    assert isinstance(value, float)
    return value


def _called(node: Call, window: Window, at: float) -> Vector:
    if node.name in OVER:
        selector = node.args[0]
        assert isinstance(selector, Selector)
        return _over(node.name, selector, window, at)
    if node.name == "histogram_quantile":
        quantile = _number(node.args[0], window, at)
        return histogram_quantile(quantile, _vector(node.args[1], window, at))
    vector = _vector(node.args[0], window, at)
    if node.name == "absent":
        return {} if vector else {_named(node.args[0]): 1.0}
    bound = _number(node.args[1], window, at)
    clamp = max if node.name == "clamp_min" else min
    return {labels: clamp(value, bound) for labels, value in vector.items()}


def _over(name: str, selector: Selector, window: Window, at: float) -> Vector:
    until = at - selector.offset_s
    since = until - selector.range_s
    found = window.over(selector.name, since, until, _fits(selector), born=name in COUNTERS)
    values = {labels: OVER[name](samples, since, until) for labels, samples in found.items()}
    return {labels: value for labels, value in values.items() if value is not None}


def _named(node: Node) -> Labels:
    """The labels of what is not there, as far as a selector names them."""
    if not isinstance(node, Selector):
        return ()
    names = [matcher.name for matcher in node.matchers]
    once = [m for m in node.matchers if m.op == "=" and names.count(m.name) == 1]
    return tuple(sorted((m.name, m.value) for m in once))


def _aggregated(node: Aggregate, vector: Vector) -> Vector:
    keep = Matching(not node.without, node.labels)
    groups: dict[Labels, list[float]] = {}
    for labels, value in vector.items():
        groups.setdefault(keep.key(labels), []).append(value)
    return {labels: _AGGREGATE[node.op](values) for labels, values in groups.items()}


_AGGREGATE: Final[dict[str, Callable[[list[float]], float]]] = {
    "sum": lambda values: float(sum(values)),
    "max": max,
    "min": min,
    "avg": lambda values: sum(values) / len(values),
    "count": lambda values: float(len(values)),
}
