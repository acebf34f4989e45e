"""A snapshot as text for scrapers: Prometheus' format, or OpenMetrics with examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from serve_app.observe import fields
from serve_app.observe.catalog import METRICS
from serve_app.observe.metric import Labels, Metric
from serve_app.observe.page import Example
from serve_app.observe.snapshot import Snapshot, Values, bucket_of

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_OPEN_METRICS: Final = "application/openmetrics-text"
_EXAMPLE_LIFE_S: Final = 3600.0
_MAX_ID_CHARS: Final = 100
"""An example's labels have 128 characters at most (OpenMetrics 1.0)."""

Examples = dict[str, dict[Labels, Exemplar]]

_pack = msgspec.json.Encoder().encode
_unpack = msgspec.json.Decoder(Example).decode


def render(snapshot: Snapshot, examples: Mapping[str, bytes], accept: str) -> tuple[bytes, str]:
    """The text and its content type; takes milliseconds, so call it in a thread.

    Args:
        examples: by field of a bucket, see `packed`.
        accept: the scraper's `Accept` header.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(snapshot, _read(examples, snapshot.at)))
    if _OPEN_METRICS in accept:
        return openmetrics.generate_latest(  # type: ignore[no-untyped-call]  # as the library has it
            registry, version="1.0.0"
        ), openmetrics.CONTENT_TYPE_LATEST
    return generate_latest(registry), CONTENT_TYPE


def packed(example: Example) -> str:
    """As text: Lua's msgpack knows no bytes."""
    return _pack(example).decode()


class _Collected(Collector):
    """What there is, as the library wants it."""

    def __init__(self, snapshot: Snapshot, examples: Examples) -> None:
        self._series = snapshot.series
        self._examples = examples

    def collect(self) -> Iterator[Family]:
        for metric in METRICS.values():
            family = Family(metric.name.removesuffix("_total"), metric.help, metric.kind)
            self._fill(family, metric)
            if family.samples:
                yield family

    def _fill(self, family: Family, metric: Metric) -> None:
        if metric.kind != "histogram":
            for labels, value in sorted(self._series.get(metric.name, {}).items()):
                family.add_sample(metric.name, dict(labels), value)
            return
        buckets = self._buckets(metric.name)
        known = self._examples.get(metric.name, {})
        for labels, count in sorted(self._series.get(f"{metric.name}_count", {}).items()):
            for bucket in buckets[labels]:
                told = dict(bucket)
                value = self._series[f"{metric.name}_bucket"][bucket]
                family.add_sample(f"{metric.name}_bucket", told, value, exemplar=known.get(bucket))
            total = self._series[f"{metric.name}_sum"][labels]
            family.add_sample(f"{metric.name}_count", dict(labels), count)
            family.add_sample(f"{metric.name}_sum", dict(labels), total)

    def _buckets(self, name: str) -> dict[Labels, list[Labels]]:
        """By the labels without the bound, the buckets in their order."""
        found: dict[Labels, list[Labels]] = {}
        for bucket in self._series.get(f"{name}_bucket", Values()):
            found.setdefault(_without_bound(bucket), []).append(bucket)
        for buckets in found.values():
            buckets.sort(key=_bound)
        return found


def _without_bound(bucket: Labels) -> Labels:
    return tuple(pair for pair in bucket if pair[0] != "le")


def _bound(bucket: Labels) -> float:
    bound = dict(bucket)["le"]
    return math.inf if bound == "+Inf" else float(bound)


def _read(examples: Mapping[str, bytes], now: float) -> Examples:
    """Those that are not too old, by metric and bucket."""
    found: Examples = {}
    for name, content in examples.items():
        field, example = fields.read(name), _unpack(content)
        if field is None or now - example.at > _EXAMPLE_LIFE_S:
            continue
        bucket = bucket_of(field.labels, field.part)
        found.setdefault(field.metric, {})[bucket] = _exemplar(example)
    return found


def _exemplar(example: Example) -> Exemplar:
    if example.trace:
        return Exemplar({"trace_id": example.trace}, example.value, example.at)
    name = example.request[:_MAX_ID_CHARS]
    return Exemplar({"request_id": name}, example.value, example.at)
