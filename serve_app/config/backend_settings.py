"""Backends: hosted APIs and local models, and what their models can do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from serve_app.config.providers import expand
from serve_app.config.section import Section

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
