"""The way to a collector: OTLP over HTTP, by OpenTelemetry's own exporter.

The only importer of OpenTelemetry. Importing it takes 0.2 s, so only the thread that sends does.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from serve_app.core.trace import Trace
from serve_app.core.trail import Trail
from serve_app.tracing.names import SCHEMA
from serve_app.tracing.sketch import Sketch

_KINDS: Final = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "internal": SpanKind.INTERNAL,
    "consumer": SpanKind.CONSUMER,
}
_ON: Final = TraceFlags(TraceFlags.SAMPLED)


class Otlp:
    """Sends spans to a collector.

    Args:
        endpoint: whole address, `http://HOST:4318/v1/traces`. Headers, certificates and the like
            are read from OpenTelemetry's own environment variables (OTEL_EXPORTER_OTLP_HEADERS).
        resource: what all spans are of: `service.name` and the like.
    """

    def __init__(
        self, endpoint: str, resource: Mapping[str, str], version: str, timeout_s: float
    ) -> None:
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint, timeout=timeout_s, compression=Compression.Gzip
        )
        self._resource = Resource.create(dict(resource))
        self._scope = InstrumentationScope("serve_app", version, SCHEMA)
        self._rng = random.Random()  # noqa: S311 - ids of spans, no secrets

    def send(self, traces: list[tuple[Trail, list[Sketch]]]) -> bool:
        """Send the spans of requests, the first of each being its own; False: they were not taken.
        Blocks, with tries for as long as `timeout_s`."""
        spans = [span for trail, drawn in traces for span in self._spans(trail, drawn)]
        return self._exporter.export(spans) is SpanExportResult.SUCCESS

    def close(self) -> None:
        """Stop, and do not try again what is just being tried."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs

    def _spans(self, trail: Trail, drawn: list[Sketch]) -> list[ReadableSpan]:
        place, began_ns = trail.span, int(trail.began_at * 1e9)
        assert place is not None
        root = _context(place)
        caller = None if trail.trace is None else _context(trail.trace, is_remote=True)
        first, *others = drawn
        children = [self._span(sketch, self._below(place, sketch), root, began_ns)
                    for sketch in others]  # fmt: skip
        return [self._span(first, root, caller, began_ns), *children]

    def _below(self, place: Trace, sketch: Sketch) -> SpanContext:
        span_id = sketch.span_id or f"{self._rng.getrandbits(64) or 1:016x}"
        return _context(Trace(place.trace_id, span_id, True, place.state))

    def _span(
        self, sketch: Sketch, context: SpanContext, parent: SpanContext | None, began_ns: int
    ) -> ReadableSpan:
        def at(ms: float) -> int:
            return began_ns + int(ms * 1e6)

        events = [Event(mark.name, mark.facts, at(mark.at_ms)) for mark in sketch.marks]
        status = Status(StatusCode.ERROR, sketch.error) if sketch.error else Status()
        return ReadableSpan(
            sketch.name,
            context,
            parent,
            self._resource,
            sketch.facts,
            events,
            [] if sketch.link is None else [Link(_context(sketch.link, is_remote=True))],
            _KINDS[sketch.kind],
            status=status,
            start_time=at(sketch.began_ms),
            end_time=at(sketch.ended_ms),
            instrumentation_scope=self._scope,
        )


def _context(place: Trace, *, is_remote: bool = False) -> SpanContext:
    """What is sent counts as sampled, whoever decided it."""
    state = TraceState.from_header([place.state]) if place.state else None
    return SpanContext(int(place.trace_id, 16), int(place.span_id, 16), is_remote, _ON, state)
