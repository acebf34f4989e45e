"""What is counted for `GET /metrics`."""

from __future__ import annotations

from pydantic import Field

from serve_app.config.section import Section


class MetricsPolicy(Section):
    """The figures of the service; docs/metrics.md names them."""

    enabled: bool = Field(default=True, description="False: requests are not counted.")
    tenants: bool = Field(
        default=False,
        description="Requests, tokens and cost have a label `tenant`, too. Each tenant makes some "
        "dozens of series.",
    )
    max_tenants: int = Field(
        default=50,
        gt=0,
        le=1000,
        description="Tenants that have series of their own; the tenant "
        "of what comes then is `other`.",
    )
