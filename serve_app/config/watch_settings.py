"""Where what is known of requests goes: traces, records, the console."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from serve_app.config.section import Section


class TracingSettings(Section):
    """Where spans go; which requests are traced is policy. Needs the extra `tracing`."""

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://.+)?$",
        description="Of an OpenTelemetry collector that takes OTLP over HTTP, such as "
        "`http://127.0.0.1:4318/v1/traces`. Empty: what OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or "
        "OTEL_EXPORTER_OTLP_ENDPOINT says; nowhere, if they say nothing. Headers, certificates and "
        "the like stand in the other variables of that kind.",
    )
    service: str = Field(
        default="serve-app", min_length=1, description="`service.name` of every span."
    )


class ConsoleSettings(Section):
    """The page for operators at `/console`. With an admin key (`admission.admin_keys`,
    SERVE_APP_ADMIN_KEY) it asks for that, or for the key in SERVE_APP_VIEWER_KEY, which may only
    look; where no key is needed at all, it asks for none."""

    enabled: bool = True
    session_s: int = Field(
        default=8 * 3600, ge=60, le=7 * 86400, description="After so long one logs in again."
    )
    language: Literal["auto", "en", "zh"] = Field(
        default="auto", description="`auto`: the browser's."
    )
    trust_proxy: bool = Field(
        default=False,
        description="True: the last address of `x-forwarded-for` is the caller's, by which wrong "
        "logins are counted. Only behind a proxy that sets it.",
    )


class RecordsSettings(Section):
    """Where a row for each request and each charge is kept; for how long is policy."""

    url: str = Field(
        default="sqlite",
        min_length=1,
        description="`sqlite` (the file `records/records.db` of the data folder), "
        "`sqlite:///FILE`, `postgresql+psycopg://USER@HOST/DATABASE`, or `none`. More than one "
        "machine needs PostgreSQL; its password is in SERVE_APP_RECORDS_PASSWORD, or where "
        "PostgreSQL's own programs look for it. SERVE_APP_RECORDS_URL wins over it.",
    )
    interval_s: float = Field(
        default=1.0, gt=0, le=60, description="Between two writes of a process."
    )
    max_waiting: int = Field(
        default=20_000,
        ge=1000,
        description="Rows in the memory of a process; what comes on top is lost, and counted.",
    )
    spool_bytes: int = Field(
        default=256 << 20,
        ge=0,
        description="Rows that a process keeps on its disk while the database is away.",
    )

    @field_validator("url")
    @classmethod
    def _without_password(cls, value: str) -> str:
        if "@" in value and ":" in value.rpartition("@")[0].partition("://")[2]:
            raise ValueError("the password belongs in SERVE_APP_RECORDS_PASSWORD, not in a file")
        return value
