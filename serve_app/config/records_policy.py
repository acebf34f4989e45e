"""Policy of the usage records: what is in them, and for how long."""

from __future__ import annotations

from pydantic import Field

from serve_app.config.section import Section


class RecordsPolicy(Section):
    """Rows for requests and charges; where they are is structure."""

    keep_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="A row for each request is kept so long; one for each charge, too, but for at "
        "least 8 days.",
    )
    keep_hours_days: int = Field(
        default=400, ge=8, le=36_500, description="Sums by hour are kept so long."
    )
    content: bool = Field(
        default=False,
        description="True: what was asked is kept in the row of its request, as the filter has "
        "left it for the model. Not without a filter.",
    )
