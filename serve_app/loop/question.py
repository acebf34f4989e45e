"""What the model is asked, answer by answer: the caller's request, with functions in the place of
tools that run here, and with what has been called so far at its end."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from serve_app.core.errors import BadRequest
from serve_app.core.tools import RUN_HERE
from serve_app.core.types import ChatRequest, Message
from serve_app.tools.toolbox import Toolbox

Json = dict[str, Any]

MAX_CALLS = "max_tool_calls"
"""OpenAI's name for the caller's own limit of calls; it goes to no backend."""

_encode = msgspec.json.encode
_messages = msgspec.json.Decoder(list[Message])


def names_tools(request: ChatRequest) -> bool:
    """Whether a request names tools that run here."""
    tools = request.params.tools
    return tools is not None and any(tool.get("type") in RUN_HERE for tool in tools)


def max_calls(request: ChatRequest) -> int | None:
    """How many calls the caller allows; None: it does not say.

    Raises:
        BadRequest: that is no number of calls.
    """
    raw = request.fields.get(MAX_CALLS)
    value = None if raw is None else msgspec.json.decode(raw)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequest(f"{MAX_CALLS} is a number from 1 on", param=MAX_CALLS)
    return value


class Question:
    """
    Raises:
        BadRequest: the request wants several answers, or chooses a tool that is not there.
    """

    def __init__(self, request: ChatRequest, box: Toolbox) -> None:
        if (request.params.n or 1) > 1:
            raise BadRequest("n is 1 where tools run here", param="n")
        given = request.params.tools or []
        self._all = [
            function for at, tool in enumerate(given) for function in box.functions.get(at, [tool])
        ]
        self._own = [tool for at, tool in enumerate(given) if at not in box.functions]
        self._choice = _choice(request.params.tool_choice, box)
        self._plain = replace(
            request, fields={n: v for n, v in request.fields.items() if n != MAX_CALLS}
        )

    def first(self, *, is_last: bool) -> ChatRequest:
        """The request as the caller made it."""
        if is_last:
            return self._last(self._plain)
        return _changed(self._plain, tools=self._all, tool_choice=self._choice)

    def next(self, added: list[Json], *, is_last: bool) -> ChatRequest:
        """The request after some calls. A call that was demanded has been made: from then on the
        model chooses, or it would call for ever.

        Args:
            added: messages behind the caller's.
            is_last: the answer must call nothing that runs here.
        """
        request = _with_messages(self._plain, added)
        if is_last:
            return self._last(request)
        choice = None if self._choice is None else "auto"
        return _changed(request, tools=self._all, tool_choice=choice)

    def _last(self, request: ChatRequest) -> ChatRequest:
        """The caller's own functions may still be called. Without any, all tools stay, and none
        may be called: a prompt that begins as before is cheaper, and some providers want tools
        where there were calls."""
        if self._own:
            return _changed(request, tools=self._own, tool_choice=None)
        return _changed(request, tools=self._all, tool_choice="none" if self._all else None)


def _choice(given: str | Json | None, box: Toolbox) -> str | Json | None:
    """`tool_choice` in terms of functions."""
    if not isinstance(given, dict) or given.get("type") not in RUN_HERE:
        return given
    name = given.get("name")
    if name is None:
        return "required"
    server = given.get("server_label") or ""
    known = box.named(str(server), str(name))
    if known is None:
        raise BadRequest("tool_choice names none of the tools", param="tool_choice")
    return {"type": "function", "function": {"name": known}}


def _changed(
    request: ChatRequest, *, tools: list[Json], tool_choice: str | Json | None
) -> ChatRequest:
    """The request with other tools; without any, nothing is said of tools at all."""
    fields = {**request.fields}
    for name in ("tools", "tool_choice"):
        fields.pop(name, None)
    if not tools:
        fields.pop("parallel_tool_calls", None)
    params = replace(request.params, tools=tools or None, tool_choice=tool_choice)
    if tools:
        fields["tools"] = Raw(_encode(tools))
        if tool_choice is not None:
            fields["tool_choice"] = Raw(_encode(tool_choice))
    else:
        params = replace(params, tool_choice=None, parallel_tool_calls=None)
    return replace(request, fields=fields, params=params)


def _with_messages(request: ChatRequest, added: list[Json]) -> ChatRequest:
    """The request with messages at its end; those before stay byte for byte."""
    if not added:
        return request
    raw = _encode(added)
    before = bytes(request.fields["messages"]).rstrip()
    whole = Raw(before[:-1] + b"," + raw[1:])
    messages = [*request.params.messages, *_messages.decode(raw)]
    params = replace(request.params, messages=messages)
    return replace(request, fields={**request.fields, "messages": whole}, params=params)
