"""Structure: which stages run where, which Redis, which backends. The `args` of the app builder.

Changing any of it starts new replicas. What may change while requests run is policy
(`config/policy.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serve_app.config.providers import expand, kind_of

Placement = Literal["fused", "deployed"]


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


Capability = Literal[
    "tools",
    "parallel_tools",
    "json_object",
    "json_schema",
    "vision",
    "logprobs",
    "n",
    "seed",
    "reasoning",
    "prefix",
]
"""`prefix`: goes on from an assistant message that was begun. `reasoning`: takes
`reasoning_effort`. A request that needs one only goes to models that have it."""


class ModelSettings(Section):
    id: str = Field(min_length=1, description="The model's name at the backend.")
    kind: Literal["chat", "embedding"] = "chat"
    context: int = Field(gt=0, description="Context window in tokens, prompt and answer together.")
    max_output: int | None = Field(default=None, gt=0, description="Longest answer in tokens.")
    capabilities: list[Capability] = Field(
        default_factory=list, description="What a request may need beyond plain text."
    )
    drop: list[str] = Field(
        default_factory=list,
        description="Request fields that this model does not take, besides the backend's.",
    )


class BackendTimeouts(Section):
    connect_s: float = Field(default=5.0, gt=0)
    first_token_s: float = Field(
        default=30.0, gt=0, description="From sending to the first event of a stream."
    )
    idle_s: float = Field(default=30.0, gt=0, description="Between two events of a stream.")
    total_s: float = Field(default=300.0, gt=0, description="One attempt from start to end.")


class Quirks(Section):
    """In what a provider's API differs from its dialect's. Presets (`provider:`) fill them in."""

    prefix: Literal["none", "bare", "partial", "prefix", "vllm"] = Field(
        default="none",
        description="How a begun answer is handed over: as a last assistant message as it is "
        "(`bare`), with `partial: true` (`partial`), with `prefix: true` (`prefix`), or with "
        "`continue_final_message` (`vllm`).",
    )
    auth: Literal["bearer", "api-key", "x-api-key", "x-goog-api-key"] = Field(
        default="bearer", description="Header that carries the key."
    )
    headers: dict[str, str] = Field(
        default_factory=dict, description="Fixed headers of every request; never a secret."
    )
    query: dict[str, str] = Field(
        default_factory=dict, description="Fixed query parameters, such as Azure's `api-version`."
    )
    path: str = Field(
        default="",
        description="Path of chat requests after `base_url`, where it is not the dialect's. "
        "`{model}` is the model's name.",
    )
    drop: list[str] = Field(
        default_factory=list,
        description="Request fields that the provider does not take. `messages.NAME` is a field of "
        "messages.",
    )
    keep: list[str] = Field(
        default_factory=list,
        description="Fields of messages and tools that OpenAI's API does not have and this one "
        "does, such as `cache_control` or `reasoning_details`; else they are left out.",
    )
    rename: dict[str, str] = Field(
        default_factory=dict,
        description="Request fields that have another name there, such as "
        "`max_completion_tokens: max_tokens`.",
    )
    stream_usage: bool = Field(
        default=True, description="Takes `stream_options.include_usage`; false: it is left out."
    )


class HostedBackend(Section):
    """An API somewhere else. `kind` is its dialect."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,40}$",
        description="With a `provider`: its name, if not given.",
    )
    kind: Literal["openai", "anthropic", "gemini"] = "openai"
    provider: str | None = Field(
        default=None,
        description="A preset of providers.yaml (`serve-app` ships one for each common provider): "
        "fills in whatever of this backend is not given.",
    )
    base_url: str = Field(
        pattern=r"^https?://",
        description="Up to the version: `.../v1`. With a `provider`: its own, if not given.",
    )
    api_key_env: list[str] = Field(
        default_factory=list,
        description="Environment variables with keys, one or several; several are used in turn. "
        "Named but all absent: the backend is off.",
    )
    api_key_file: str | None = Field(
        default=None, description="File with a key a line; read again when it changes."
    )
    models: list[ModelSettings] = Field(
        min_length=1,
        description="With a `provider`: all that its preset lists, if not given; of those, an id "
        "is enough.",
    )
    quirks: Quirks = Quirks()
    timeouts: BackendTimeouts = BackendTimeouts()
    max_connections: int = Field(default=512, gt=0, description="To this backend, per replica.")
    trace: bool = Field(
        default=False,
        description="It is told where its calls stand in a trace (`traceparent`): for a gateway or "
        "a model server of your own, whose spans are then seen below ours.",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: object) -> object:
        return expand(value) if isinstance(value, dict) else value

    @field_validator("api_key_env", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else [] if value is None else value


class LocalBackend(Section):
    """A vLLM model in an application of its own on this Ray cluster."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")
    kind: Literal["local"]
    app: str = Field(description="Serve application that runs the model.")
    deployment: str = Field(default="LocalModel", description="Deployment in that application.")
    tokenizer: str = Field(
        description="Folder with the model's tokenizer; `embedded` is that of the embedded model."
    )
    models: list[ModelSettings] = Field(min_length=1, max_length=1)
    timeouts: BackendTimeouts = BackendTimeouts(first_token_s=60.0)
    max_running: int = Field(default=64, gt=0, description="Requests at once, per replica.")
    max_waiting: int = Field(
        default=256,
        ge=0,
        description="Requests that may wait for one of them to end, per replica; the next is "
        "refused, or takes the place of one of a tenant with more of them.",
    )
    max_wait_s: float = Field(
        default=10.0,
        gt=0,
        description="Longest wait. A request that cannot expect its turn in time is refused at "
        "once, with `Retry-After`, or goes to the next model.",
    )


Backend = Annotated[HostedBackend | LocalBackend, Field(discriminator="kind")]


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
