"""Structure: which stages run where, which Redis, which backends. The `args` of the app builder.

Changing any of it starts new replicas. What may change while requests run is policy
(`config/policy.py`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from serve_app.config.backend_settings import Backend
from serve_app.config.providers import kind_of
from serve_app.config.section import Section
from serve_app.config.watch_settings import ConsoleSettings, RecordsSettings, TracingSettings

Placement = Literal["fused", "deployed"]


class RedisSettings(Section):
    url: str = Field(
        default="embedded",
        description="`embedded` (the Valkey that `serve-app up` starts), `redis://`, `rediss://` "
        "or `unix://`; for a Redis Cluster or Valkey cluster `redis+cluster://HOST:PORT,HOST:PORT` "
        "or `rediss+cluster://`. The environment variable SERVE_APP_REDIS_URL wins over it.",
    )
    timeout_ms: int = Field(
        default=50, gt=0, le=5000, description="Limit of one command, connecting included."
    )
    pool: int = Field(
        default=32,
        gt=0,
        description="Connections a replica may hold (to each server of a cluster).",
    )
    breaker_failures: int = Field(
        default=3, gt=0, description="Failures in a row after which commands are refused at once."
    )
    breaker_open_s: float = Field(
        default=1.0, gt=0, description="Seconds between probes of a Redis that does not answer."
    )


class PlacementSettings(Section):
    """Where each stage runs: inside the ingress replica, or as a deployment of its own."""

    filter: Placement = "fused"
    cache: Placement = "fused"
    router: Placement = "fused"
    backends: Placement = Field(
        default="fused", description="Hosted backends; local models always have their own app."
    )
    workers: Placement = Field(
        default="fused", description="Those who do background tasks, with a whole way of their own."
    )


class ConversationSettings(Section):
    """How conversations are kept; which, and for how long, is policy."""

    encrypt: bool = Field(
        default=False,
        description="Sealed in Redis (AES-256-GCM) with the key in SERVE_APP_SESSION_KEY. That may "
        "be several, separated by commas: the first seals, all of them open.",
    )


class SemanticStructure(Section):
    """The level that finds answers to alike questions; whether it is used is policy."""

    embedder: str = Field(
        default="minilm",
        description="`minilm` (all-MiniLM-L6-v2 in int8, on a CPU), a folder with an ONNX model "
        "and its tokenizer, or `backend/model` of a backend that embeds.",
    )
    index: Literal["exact", "ann"] = Field(
        default="exact",
        description="How vectors are searched: all of them, or by a graph (HNSW, usearch).",
    )
    ann_from: int = Field(
        default=50_000, gt=0, description="With `ann`: partitions smaller than this stay exact."
    )
    bytes: int = Field(
        default=256 << 20, gt=0, description="Vectors and questions in memory, per replica."
    )
    max_questions: int = Field(default=100_000, gt=0, description="In one partition.")


class CacheStructure(Section):
    l1_bytes: int = Field(default=64 << 20, gt=0, description="In-process level, per replica.")
    l2: bool = Field(default=True, description="Redis level.")
    max_entry_bytes: int = Field(default=1 << 20, gt=0, description="Larger answers are not kept.")
    semantic: SemanticStructure = SemanticStructure()


class LedgerSettings(Section):
    """Where limits, budgets and totals are counted."""

    slot: Literal["tenant", "one"] = Field(
        default="tenant",
        description="Of a Redis Cluster: a slot for each tenant, or one for all (limits over "
        "several tenants need that). Changing it begins the books anew.",
    )
    lease_s: float = Field(
        default=30.0,
        ge=1,
        description="What a replica that died had reserved comes back after so long.",
    )
    confirm_ms: int = Field(
        default=200,
        gt=0,
        description="An answer that was reserved for ends when the ledger has its cost, or after "
        "this.",
    )


class FilesSettings(Section):
    """Where the content of `/v1/files` and of batches is kept."""

    url: str = Field(
        default="local",
        min_length=1,
        description="`local` (the folder `files` of the data folder), or any address of fsspec, "
        "such as `s3://bucket/folder`, whose driver has to be installed. All replicas and workers "
        "must see the same.",
    )
    options: dict[str, object] = Field(
        default_factory=dict,
        description="Handed to the driver as they are, such as `endpoint_url`; never a secret.",
    )
    threads: int = Field(
        default=8, gt=0, le=256, description="Reads and writes at once, per process."
    )


class TaskSettings(Section):
    """Those who do background tasks."""

    lease_s: float = Field(
        default=10.0,
        ge=1,
        le=300,
        description="A worker that was not heard of for so long has lost its tasks to others. It "
        "is heard of three times as often.",
    )
    concurrency: int = Field(default=4, gt=0, description="Tasks at once, per worker.")
    low_concurrency: int = Field(
        default=2,
        gt=0,
        description="So many of them may be of low priority (parts of batches), that nobody waits "
        "behind a batch.",
    )
    grace_s: float = Field(
        default=5.0,
        ge=0,
        le=600,
        description="A worker that ends may finish for so long; what is not done then is given "
        "back to others.",
    )


class ServerSettings(Section):
    max_body_bytes: int = Field(default=20 << 20, gt=0)
    body_timeout_s: float = Field(default=30.0, gt=0, description="To receive a request's body.")
    write_timeout_s: float = Field(
        default=60.0, gt=0, description="A caller that reads nothing for so long is dropped."
    )
    request_deadline_s: float = Field(default=300.0, gt=0)
    drain_s: float = Field(
        default=30.0, gt=0, description="Running requests may finish for so long on shutdown."
    )
    max_requests: int = Field(
        default=2000, gt=0, description="At once per replica; beyond it 503 with Retry-After."
    )


class GatewayArgs(Section):
    """`args` of `serve_app.graph:build_gateway`."""

    profile: str = Field(default="custom", description="Shown in status and logs.")
    redis: RedisSettings = RedisSettings()
    placement: PlacementSettings = PlacementSettings()
    backends: list[Backend] = Field(min_length=1)
    conversation: ConversationSettings = ConversationSettings()
    cache: CacheStructure = CacheStructure()
    ledger: LedgerSettings = LedgerSettings()
    server: ServerSettings = ServerSettings()
    files: FilesSettings = FilesSettings()
    tasks: TaskSettings = TaskSettings()
    console: ConsoleSettings = ConsoleSettings()
    records: RecordsSettings = RecordsSettings()
    tracing: TracingSettings = TracingSettings()

    @model_validator(mode="before")
    @classmethod
    def _default_kind(cls, value: object) -> object:
        """A backend without `kind` is a hosted one, of its preset's dialect or OpenAI's."""
        backends = value.get("backends") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(backends, list):
            return value
        kinds = [{**b, "kind": kind_of(b)} if isinstance(b, dict) else b for b in backends]
        return {**value, "backends": kinds}

    @model_validator(mode="after")
    def _names_are_unique(self) -> GatewayArgs:
        names = [b.name for b in self.backends]
        double = sorted({n for n in names if names.count(n) > 1})
        if double:
            raise ValueError(f"backends: names must be unique, got twice: {', '.join(double)}")
        return self
