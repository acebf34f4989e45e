"""Whether PromQL names only metrics and labels that the service has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import promql_parser as promql

from serve_app.observe.metric import Metric

_PARTS = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def series(metrics: Mapping[str, Metric]) -> dict[str, set[str]]:
    """Each series' name -> the labels that it may have."""
    known: dict[str, set[str]] = {}
    for metric in metrics.values():
        labels = {*metric.labels, *(["tenant"] if metric.by_tenant else [])}
        for part in _PARTS[metric.kind]:
            known[metric.name + part] = labels | ({"le"} if part == "_bucket" else set())
    return known


def wrong(expr: str, known: Mapping[str, Collection[str]]) -> list[str]:
    """What is wrong with an expression; empty if nothing is.

    A label is wrong if a matcher names one that its series has not, or if `by`, `on` and the like
    name one that no series below it has.
    """
    return list(_wrong(promql.parse(expr), known))


def _wrong(tree: promql.Expr, known: Mapping[str, Collection[str]]) -> Iterator[str]:
    selectors = list(_selectors(tree))
    for one in selectors:
        labels = known.get(one.name or "")
        if labels is None:
            yield f"no metric is called {one.name}"
            continue
        for matcher in one.matchers.matchers:
            if matcher.name not in labels:
                yield f"{one.name} has no label {matcher.name}"
    for node in _nodes(tree):
        below = {label for one in _selectors(node) for label in known.get(one.name or "", ())}
        for label in _named(node):
            if label not in below:
                yield f"no series under {node.prettify()!r} has a label {label}"


def _nodes(tree: promql.Expr) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(tree, found.append)
    return found


def _selectors(tree: promql.Expr) -> Iterator[promql.VectorSelector]:
    for node in _nodes(tree):
        if isinstance(node, promql.VectorSelector):
            yield node


def _named(node: promql.Expr) -> Iterator[str]:
    """Labels that an aggregation or a join names."""
    if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
        yield from node.modifier.labels
    join = node.modifier if isinstance(node, promql.BinaryExpr) else None
    if join is not None and join.matching is not None:
        yield from join.matching.labels
