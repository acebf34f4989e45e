"""Policy of traces: which requests are told of, and how much."""

from __future__ import annotations

from pydantic import Field

from serve_app.config.section import Section


class TracingPolicy(Section):
    """Has an effect where `tracing.endpoint` (structure) or OTEL_EXPORTER_OTLP_ENDPOINT says where
    spans go."""

    enabled: bool = Field(default=True, description="False: no spans are made.")
    sample: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of the requests whose callers did not decide it. Those that failed "
        "here, and slow ones, are told of besides.",
    )
    follow_callers: bool = Field(
        default=True,
        description="A caller's `traceparent` decides whether its request is sampled. False: its "
        "trace is continued, and `sample` decides; for callers that are not to be trusted with it.",
    )
    slow_s: float = Field(default=5.0, gt=0, description="A request that took longer is slow.")
    content: bool = Field(
        default=False,
        description="Spans also hold what providers said about failed calls; they may quote the "
        "caller's text.",
    )
