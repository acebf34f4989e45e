"""Policy of the log: which requests get a line, how much is in it, and what the process says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from serve_app.config.section import Section

LogLevel = Literal["debug", "info", "error"]


class LogPolicy(Section):
    """A line of JSON for a request when it is over. Texts are never in it."""

    level: LogLevel = Field(
        default="info",
        description="`info`: a line for each request, as `sample` says. `debug`: for every one, "
        "with all that its stages decided. `error`: only for those that failed.",
    )
    tenants: dict[str, LogLevel] = Field(
        default_factory=dict, description="Level of single tenants, in place of `level`."
    )
    sample: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of the good requests that get a line at `info`; failed and slow ones "
        "always do.",
    )
    slow_s: float = Field(default=5.0, gt=0, description="A request that took longer is slow.")
    process: Literal["debug", "info", "warning", "error"] = Field(
        default="warning",
        description="Least level of what the processes themselves say.",
    )
    repeats: int = Field(
        default=10,
        gt=0,
        description="Records of one place in the code and one minute that are written; the others "
        "are counted, so that an outage does not fill the disk.",
    )
