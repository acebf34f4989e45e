"""Policy of stored files and of batches: how large, how long, how many at once."""

from __future__ import annotations

from pydantic import Field

from serve_app.config.section import Section

_DAY_S = 86_400


class FilesPolicy(Section):
    """`/v1/files`, and what batches write."""

    max_file_bytes: int = Field(default=512 << 20, gt=0, description="Of one file.")
    max_tenant_bytes: int = Field(
        default=20 << 30, gt=0, description="Of all files of a tenant; beyond it uploads get 403."
    )
    expire_s: int | None = Field(
        default=30 * _DAY_S,
        ge=3600,
        description="Seconds that a file is kept which says nothing of `expires_after`; null: "
        "until it is deleted.",
    )
    upload_s: int = Field(
        default=1800, gt=0, le=6 * 3600, description="Longest time that an upload may take."
    )


class BatchesPolicy(Section):
    """`/v1/batches`."""

    max_requests: int = Field(default=50_000, gt=0, le=500_000, description="Lines of one batch.")
    max_input_bytes: int = Field(default=200 << 20, gt=0, description="Of one batch's input file.")
    max_open: int = Field(
        default=200, gt=0, description="Batches of a tenant that are not over yet, at most."
    )
    shard_requests: int = Field(
        default=100,
        gt=0,
        le=1000,
        description="Lines that are worked off together by one worker: what is lost of a killed "
        "worker's time, at most.",
    )
    parallel: int = Field(
        default=16, gt=0, le=1024, description="Lines of one shard that are answered at once."
    )
    attempts: int = Field(
        default=8,
        gt=0,
        le=100,
        description="Tries of a line whose failure may pass. Waiting for a rate limit is no try.",
    )
    request_s: float = Field(
        default=600.0, gt=0, description="Longest time of one try of one line."
    )
    keep_s: int = Field(
        default=30 * _DAY_S,
        ge=3 * _DAY_S,
        description="How long a batch can be looked up after it was made.",
    )
