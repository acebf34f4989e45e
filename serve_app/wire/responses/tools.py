"""Tools, the choice among them and the form of the answer, in chat completions' words."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.core.tools import RUN_HERE
from serve_app.wire.checks import wrong_field
from serve_app.wire.responses.fields import ResponsesRequest, TextFormat
from serve_app.wire.responses.items import Name

Json = dict[str, Any]

MCP: Final = "mcp"
_CHOICES: Final = ("auto", "none", "required")


class FunctionTool(Struct, frozen=True):
    name: Name
    parameters: Json | None = None
    strict: bool | None = None
    description: str | None = None


class Choice(Struct, frozen=True):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[Json] | None = None


def tools_of(request: ResponsesRequest) -> Json:
    """`tools`, `tool_choice` and `parallel_tool_calls`.

    Raises:
        BadRequest: a tool runs at OpenAI only, or the choice names none of them.
    """
    values: Json = {}
    tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(request.tools or ())]
    if request.tool_choice is not None:
        tools, choice = _chosen(request.tool_choice, tools)
        if choice is not None:
            values["tool_choice"] = choice
    if tools:
        values["tools"] = tools
    if request.parallel_tool_calls is not None and tools:
        values["parallel_tool_calls"] = request.parallel_tool_calls
    return values


def _tool(given: Json, path: str) -> Json:
    kind = given.get("type")
    if kind in RUN_HERE:
        return given
    if kind != "function":
        raise BadRequest(
            f"{path}.type is {str(kind)[:60]!r}; tools may be 'function', 'mcp' and 'serve_app': "
            "those that run at OpenAI (web_search, file_search, code_interpreter...) are not to be "
            "had here",
            param=f"{path}.type",
        )
    try:
        tool = msgspec.convert(given, FunctionTool)
    except msgspec.ValidationError as error:
        inner = wrong_field(error).param
        where = f"{path}.{inner}" if inner else path
        raise BadRequest(f"Invalid value for {where!r}: {error}", param=where) from None
    function: Json = {"name": tool.name, "parameters": tool.parameters or _NOTHING}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


_NOTHING: Final[Json] = {"type": "object", "properties": {}}


def _chosen(given: str | Json, tools: list[Json]) -> tuple[list[Json], Any]:
    """The tools that may be called, and the choice among them."""
    if isinstance(given, str):
        if given not in _CHOICES:
            raise _no_choice(f"is {given[:60]!r}", "tool_choice")
        return tools, given if tools or given == "none" else None
    try:
        choice = msgspec.convert(given, Choice)
    except msgspec.ValidationError as error:
        inner = wrong_field(error).param
        where = f"tool_choice.{inner}" if inner else "tool_choice"
        raise BadRequest(f"Invalid value for {where!r}: {error}", param=where) from None
    if choice.type == "function":
        return tools, _named(choice, tools)
    if choice.type == "allowed_tools":
        return _allowed(choice, tools)
    if choice.type in RUN_HERE:
        return tools, given
    raise _no_choice(f"is of type {choice.type[:60]!r}", "tool_choice.type")


def _no_choice(what: str, param: str) -> BadRequest:
    return BadRequest(
        f"tool_choice {what}; it may be auto, none, required, or of type function, allowed_tools "
        "or mcp",
        param=param,
    )


def _named(choice: Choice, tools: list[Json]) -> Json:
    if choice.name is None or choice.name not in _names(tools):
        raise BadRequest("tool_choice.name is not among the tools", param="tool_choice.name")
    return {"type": "function", "function": {"name": choice.name}}


def _allowed(choice: Choice, tools: list[Json]) -> tuple[list[Json], str]:
    """Not every backend knows of allowed tools: it gets no others."""
    if choice.mode not in ("auto", "required"):
        raise BadRequest("tool_choice.mode is 'auto' or 'required'", param="tool_choice.mode")
    allowed = []
    for at, wanted in enumerate(choice.tools or ()):
        found = [tool for tool in tools if _is(tool, wanted)]
        if not found:
            where = f"tool_choice.tools[{at}]"
            raise BadRequest(f"{where} is not among the tools", param=where)
        allowed += found
    if not allowed:
        raise BadRequest("tool_choice.tools is empty", param="tool_choice.tools")
    return allowed, choice.mode


def _is(tool: Json, wanted: Json) -> bool:
    if tool["type"] in RUN_HERE:
        same = ("type", "server_label" if tool["type"] == MCP else "name")
        return all(wanted.get(name) == tool.get(name) for name in same)
    return wanted.get("type") == "function" and wanted.get("name") == tool["function"]["name"]


def _names(tools: list[Json]) -> list[str]:
    return [tool["function"]["name"] for tool in tools if tool["type"] == "function"]


def form_of(request: ResponsesRequest) -> Json:
    """`response_format` and `verbosity`.

    Raises:
        BadRequest: there is no such form, or it lacks its schema.
    """
    text = request.text
    if text is None:
        return {}
    values: Json = {} if text.verbosity is None else {"verbosity": text.verbosity}
    if text.format is not None and text.format.type != "text":
        values["response_format"] = _format(text.format)
    return values


def _format(wanted: TextFormat) -> Json:
    if wanted.type == "json_object":
        return {"type": "json_object"}
    if wanted.type != "json_schema":
        raise BadRequest(
            f"text.format.type is {wanted.type[:60]!r}; text, json_object or json_schema",
            param="text.format.type",
        )
    for name in ("name", "schema"):
        if getattr(wanted, name) is None:
            raise BadRequest(f"text.format.{name} is missing", param=f"text.format.{name}")
    schema: Json = {"name": wanted.name, "schema": wanted.schema}
    if wanted.description is not None:
        schema["description"] = wanted.description
    if wanted.strict is not None:
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}
