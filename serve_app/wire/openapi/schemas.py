"""Schemas of bodies, made from the types that decode and encode them.

What those types cannot say (`wire/checks.py` refuses it) is added here from the same constants.
"""

from __future__ import annotations

import copy
import inspect
import math
from typing import Any, Final

import msgspec

from serve_app.core.batch import ENDPOINTS, WINDOWS
from serve_app.core.kept import Hot, Purged
from serve_app.core.key_record import KeyRecord
from serve_app.core.plan import Plan
from serve_app.core.stored_file import MAX_EXPIRY_S, MIN_EXPIRY_S
from serve_app.core.types import ChatParams, Usage
from serve_app.wire.agent import MAX_SESSION_ID, AgentRequest
from serve_app.wire.alerts import SilenceBody
from serve_app.wire.anthropic.blocks import MessagesRequest
from serve_app.wire.background import AsyncRequest, TaskRequest
from serve_app.wire.batches import MAX_METADATA, BatchBody
from serve_app.wire.checks import BOUNDS, MAX_STOPS, ROLES
from serve_app.wire.completions import MAX_LOGPROBS, MAX_PROMPTS, PromptFields
from serve_app.wire.embeddings import MAX_DIMENSIONS, MAX_INPUTS, EmbeddingsRequest
from serve_app.wire.keys import INNER, ChangeBody, RotationBody, TermsBody
from serve_app.wire.openapi.alert_replies import alert_schemas
from serve_app.wire.openapi.replies import REPLIES
from serve_app.wire.openapi.response_schemas import response_schemas
from serve_app.wire.openapi.stored_replies import stored_schemas
from serve_app.wire.pantry import WarmBody
from serve_app.wire.route import Kind

Schema = dict[str, Any]

_TYPES: Final = (
    ChatParams, MessagesRequest, PromptFields, EmbeddingsRequest, AgentRequest, Kind, Plan, Usage,
    WarmBody, Hot, Purged, TermsBody, ChangeBody, RotationBody, KeyRecord, BatchBody, AsyncRequest,
    TaskRequest, SilenceBody,
)  # fmt: skip


def ref(name: str) -> Schema:
    """A schema of `components()` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def components() -> dict[str, Schema]:
    """Every schema by name."""
    _, found = msgspec.json.schema_components(_TYPES, ref_template=ref("{name}")["$ref"])
    for schema in found.values():
        _tidy(schema)
    _bound_chat(found)
    _bound_others(found)
    found["SystemText"] = {**found["Text"], "title": "SystemText", "required": ["text"]}
    found["CountRequest"], found["MessagesRequest"] = _messages(found["MessagesRequest"])
    found["CompletionsRequest"] = _completions(found)
    found["RouteRequest"] = _route(found)
    found["Key"] = _key(found.pop("KeyRecord"))
    return {**found, **REPLIES, **stored_schemas(), **response_schemas(), **alert_schemas()}


def _tidy(value: Any) -> None:
    """Docstrings without their indent; patterns as ECMA-262 writes them, where `$` is the very
    end of the text, as `\\Z` is in Python."""
    if isinstance(value, list):
        for item in value:
            _tidy(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "description" and isinstance(item, str):
                value[name] = inspect.cleandoc(item)
            elif name == "pattern" and isinstance(item, str):
                value[name] = item.replace(r"\Z", "$")
            else:
                _tidy(item)


def _bound(schema: Schema, name: str, **keywords: Any) -> None:
    """Say more of a property, unless it is null."""
    what = schema["properties"][name]
    for kind in what.get("anyOf", [what]):
        if kind.get("type") != "null":
            kind.update(keywords)


def _bound_chat(found: dict[str, Schema]) -> None:
    chat = found["ChatParams"]
    _bound(chat, "model", minLength=1)
    _bound(chat, "messages", minItems=1)
    _bound(chat, "stop", maxItems=MAX_STOPS)
    for name, (least, most) in BOUNDS.items():
        _bound(chat, name, minimum=least, **({} if most == math.inf else {"maximum": most}))
    _bound(found["Message"], "role", enum=sorted(ROLES))


def _bound_others(found: dict[str, Schema]) -> None:
    text = {"type": "string", "minLength": 1}
    embeddings = found["EmbeddingsRequest"]
    _bound(embeddings, "model", minLength=1)
    _bound(embeddings, "input", minLength=1, minItems=1, maxItems=MAX_INPUTS, items=text)
    _bound(embeddings, "dimensions", minimum=1, maximum=MAX_DIMENSIONS)
    _bound(embeddings, "stream", const=False)
    prompts = found["PromptFields"]
    _bound(prompts, "model", minLength=1)
    _bound(prompts, "prompt", minItems=1, maxItems=MAX_PROMPTS, items={"type": "string"})
    _is_set(prompts, "prompt")
    _bound(prompts, "logprobs", minimum=0, maximum=MAX_LOGPROBS)
    _bound(prompts, "best_of", maximum=1)
    _bound(prompts, "suffix", maxLength=0)
    _bound(prompts, "echo", const=False)
    _bound(found["AgentRequest"], "session_id", minLength=1, maxLength=MAX_SESSION_ID)
    _bound(found["BatchBody"], "endpoint", enum=[*ENDPOINTS])
    _bound(found["BatchBody"], "completion_window", enum=[*WINDOWS])
    _bound(found["BatchBody"], "metadata", maxProperties=MAX_METADATA)
    _bound(found["ExpiresAfter"], "anchor", const="created_at")
    _bound(found["ExpiresAfter"], "seconds", minimum=MIN_EXPIRY_S, maximum=MAX_EXPIRY_S)
    for name in ("AsyncRequest", "TaskRequest"):
        _bound(found[name], "delay_s", minimum=0)
        _bound(found[name], "soft_limit_s", exclusiveMinimum=0)
        _bound(found[name], "max_retries", minimum=0, maximum=100)
    _bound(found["AsyncRequest"], "session_id", minLength=1, maxLength=MAX_SESSION_ID)
    found["TaskRequest"]["properties"]["body"] = {"type": "object"}
    found["WarmBody"]["properties"]["request"] = ref("ChatParams")
    found["ChangeBody"]["minProperties"] = 1


def _is_set(schema: Schema, name: str) -> None:
    """A property that must be there, and not be null."""
    kinds = schema["properties"][name]["anyOf"]
    schema["properties"][name] = {"anyOf": [kind for kind in kinds if kind != {"type": "null"}]}
    schema["required"].append(name)


def _messages(schema: Schema) -> tuple[Schema, Schema]:
    """The request that counts tokens, and the one that asks."""
    _bound(schema, "model", minLength=1)
    _bound(schema, "messages", minItems=1)
    _bound(schema, "max_tokens", minimum=1)
    _bound(schema, "temperature", minimum=0, maximum=1)
    _bound(schema, "top_k", minimum=0)
    _bound(schema, "mcp_servers", maxItems=0)
    _bound(schema, "system", items=ref("SystemText"))
    asking = copy.deepcopy(schema)
    _is_set(asking, "max_tokens")
    return {**schema, "title": "CountRequest"}, asking


def _completions(found: dict[str, Schema]) -> Schema:
    """A chat request with a prompt in place of messages."""
    own, shared = found.pop("PromptFields"), dict(found["ChatParams"]["properties"])
    del shared["messages"]
    return {
        "title": "CompletionsRequest",
        "type": "object",
        "properties": {**shared, **own["properties"]},
        "required": ["model", "prompt"],
    }


def _route(found: dict[str, Schema]) -> Schema:
    """What is to be planned; `endpoint` says which of the two it is."""
    endpoint = found.pop("Kind")["properties"]["endpoint"]
    chat = {"properties": {"endpoint": {"const": "chat", "default": endpoint["default"]}}}
    vectors = {"properties": {"endpoint": {"const": "embeddings"}}, "required": ["endpoint"]}
    return {
        "title": "RouteRequest",
        "anyOf": [
            {"allOf": [ref("ChatParams"), chat]},
            {"allOf": [ref("EmbeddingsRequest"), vectors]},
        ],
    }


def _key(record: Schema) -> Schema:
    """A record as `keys.shown` shows it."""
    known = {name: of for name, of in record["properties"].items() if name not in INNER}
    own = {"id": {"type": "string"}, "object": {"const": "key"}}
    return {
        **record,
        "title": "Key",
        "properties": {**own, **known},
        "required": [*own, *known],
    }
