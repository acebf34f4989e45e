"""Tools that the gateway runs for requests that name them, and the bounds of doing so."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from serve_app.config.admission_policy import Money
from serve_app.config.section import Section

_NAME = r"^[a-zA-Z0-9_-]{1,64}$"
"""What providers take as the name of a function."""
_VARIABLE = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_HEADER = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


class PythonTool(Section):
    """A function of yours that models may call. What it takes is read off its signature, what it
    does off its docstring."""

    name: str = Field(pattern=_NAME, description="As requests name it.")
    function: str = Field(
        pattern=r"^[\w.]+:[\w.]+$", description="`package.module:function`, plain or async."
    )
    description: str | None = Field(
        default=None, description="For the model; null: the docstring of the function."
    )
    tenants: list[str] = Field(default_factory=list, description="Empty: all.")
    timeout_s: float | None = Field(
        default=None, gt=0, le=600, description="Of one call; null: `limits.per_call_s`."
    )
    pure: bool = Field(
        default=False,
        description="Calls change nothing, and equal ones give the same: answers made with it may "
        "be kept in the cache.",
    )


class McpServer(Section):
    """A server that speaks the Model Context Protocol over streamable HTTP."""

    label: str = Field(
        pattern=_NAME, description="As requests name it where they give no `server_url`."
    )
    url: str = Field(description="`https://HOST/PATH`; `http://` for servers of your own network.")
    prefix: bool = Field(
        default=False, description="True: requests may name any URL below it, such as one a tenant."
    )
    headers_env: dict[_HEADER, _VARIABLE] = Field(
        default_factory=dict,
        description="Headers it is sent, by name: the environment variable that holds the value.",
    )
    forward_authorization: bool = Field(
        default=False,
        description="True: the `authorization` of a request's tool, a token for this server, is "
        "sent to it as a bearer token.",
    )
    tenants: list[str] = Field(default_factory=list, description="Empty: all.")
    allowed_tools: list[str] = Field(
        default_factory=list, description="By name; empty: all that it lists."
    )
    pre_approved: bool = Field(
        default=False,
        description="True: its tools run without being asked for. Else a request must say "
        '`require_approval: "never"`, as nobody is there to approve a call.',
    )
    pure: list[str] = Field(
        default_factory=list,
        description="Tools whose calls change nothing and that give the same to the same: answers "
        "made with no others may be kept in the cache.",
    )

    @field_validator("url")
    @classmethod
    def _is_plain(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: must be http:// or https:// with a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("url: no user, query or fragment; secrets go into `headers_env`")
        return value


class ToolLimits(Section):
    """Of one request. When one is met, the model is asked for its answer without further calls."""

    max_steps: int = Field(
        default=8, ge=2, le=64, description="Answers of the model, the last one included."
    )
    max_calls: int = Field(default=32, ge=1, le=1000, description="Calls of tools.")
    max_s: float = Field(default=60.0, gt=0, le=3600, description="No call begins after that.")
    max_cost_usd: Money | None = Field(
        default=None, description="Nor once the answers so far have cost that much; null: no limit."
    )
    max_parallel: int = Field(default=4, ge=1, le=64, description="Calls at once.")
    per_call_s: float = Field(default=20.0, gt=0, le=600)
    max_result_chars: int = Field(
        default=20_000, ge=100, le=1_000_000, description="Longer results are cut, with a mark."
    )
    max_tools: int = Field(default=128, ge=1, le=1000, description="Offered to the model.")


class ToolsPolicy(Section):
    enabled: bool = Field(
        default=False,
        description="Whether tools of type `mcp` and registered Python tools (type `serve_app`) "
        "are run here. Functions of the caller always are the caller's to run.",
    )
    python: list[PythonTool] = Field(default_factory=list)
    mcp: list[McpServer] = Field(default_factory=list)
    any_server: bool = Field(
        default=False,
        description="True: requests may name MCP servers that are not listed, by `server_url`, "
        "with https and a public address. Whoever may ask can then make the gateway call them.",
    )
    list_ttl_s: float = Field(
        default=300.0, ge=0, le=86400, description="How long the list of a server's tools is kept."
    )
    limits: ToolLimits = ToolLimits()

    @model_validator(mode="after")
    def _unique(self) -> ToolsPolicy:
        for what, names in (
            ("python", [tool.name for tool in self.python]),
            ("mcp", [server.label for server in self.mcp]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what}: names must be unique, got twice: {', '.join(twice)}")
        return self
