"""What makes a request impossible whoever is to answer it: values in, the field at fault out."""

from __future__ import annotations

import math
import re
from typing import Final

import msgspec

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatParams, Message

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
MAX_STOPS = 4
BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "n": (1, 128),
    "max_tokens": (1, math.inf),
    "max_completion_tokens": (1, math.inf),
    "temperature": (0, 2),
    "top_p": (0, 1),
}
"""Numbers of a request, from and to."""
_NEEDS_CONTENT = frozenset({"user", "system", "developer", "tool"})

_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(\w+)`")


def check_utf8(body: bytes) -> None:
    """Raw JSON fields are passed on unread, so their encoding must be checked here."""
    if body.isascii():
        return
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The request body is not valid UTF-8: {error.reason} at byte {error.start}",
            code="invalid_encoding",
        ) from None


def whole_number(text: str, name: str, most: int) -> int:
    """A number of a query, from 1 to `most`.

    Raises:
        BadRequest: it is none, or another.
    """
    digits = text.lstrip("0")  # int() refuses a number of thousands of digits, noughts too
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(most))):
        raise BadRequest(f"{name} is a number from 1 to {most}", param=name)
    number = int(digits)
    if number > most:
        raise BadRequest(f"{name} is {number}; it is from 1 to {most}", param=name)
    return number


def wrong_field(error: msgspec.ValidationError) -> BadRequest:
    """The decoder's complaint as ours, with the path of the field as `param`."""
    matched = _PATH.match(str(error))
    what, path = (matched["what"], matched["path"]) if matched else (str(error), None)
    if missing := _MISSING.search(what):
        path = f"{path}.{missing[1]}" if path else missing[1]
        what = "a required field is missing"
    where = f" {path!r}" if path else ""
    return BadRequest(f"Invalid value for{where or ' the request body'}: {what}", param=path)


def no_json(error: Exception) -> BadRequest:
    return BadRequest(f"The request body is not valid JSON: {error}", code="invalid_json")


def check(params: ChatParams) -> None:
    """Refuse what no backend can do.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    check_model(params.model)
    if not params.messages:
        raise BadRequest("'messages' is empty; at least one is needed", param="messages")
    for at, message in enumerate(params.messages):
        _check_message(at, message)
    _check_numbers(params)
    if params.tools or params.tool_choice:
        _check_tools(params)


def check_model(model: str) -> None:
    if not model:
        raise BadRequest("'model' is empty; use 'auto' or a name of GET /v1/models", param="model")


def check_stops(stop: str | list[str] | None) -> None:
    if isinstance(stop, list) and len(stop) > MAX_STOPS:
        raise BadRequest(f"stop has {len(stop)} sequences; at most {MAX_STOPS}", param="stop")


def _check_message(at: int, message: Message) -> None:
    role = message.role
    if role not in ROLES:
        raise BadRequest(
            f"messages[{at}].role is {role[:40]!r}; one of {', '.join(sorted(ROLES))}",
            param=f"messages[{at}].role",
        )
    if message.content is None and role in _NEEDS_CONTENT:
        raise BadRequest(f"messages[{at}].content is missing", param=f"messages[{at}].content")
    if role == "tool" and not message.tool_call_id:
        raise BadRequest(
            f"messages[{at}].tool_call_id is missing; it says which call this answers",
            param=f"messages[{at}].tool_call_id",
        )
    if role == "function" and not message.name:
        raise BadRequest(f"messages[{at}].name is missing", param=f"messages[{at}].name")


def _check_numbers(params: ChatParams) -> None:
    for name, (least, most) in BOUNDS.items():
        value = getattr(params, name)
        if value is not None and not least <= value <= most:
            allowed = f"at least {least}" if most == math.inf else f"{least} to {most}"
            raise BadRequest(f"{name} is {value}; {allowed}", param=name)


def _check_tools(params: ChatParams) -> None:
    """Each function has a name, and a choice names one of them."""
    names = set()
    for at, tool in enumerate(params.tools or ()):
        if tool.get("type", "function") == "function":
            names.add(_function_name(tool, f"tools[{at}]"))
    choice = params.tool_choice
    if isinstance(choice, dict) and choice.get("type") == "function":
        name = _function_name(choice, "tool_choice")
        if name not in names:
            raise BadRequest(
                f"tool_choice names {name[:80]!r}, which is not among the tools",
                param="tool_choice.function.name",
            )


def _function_name(value: dict[str, object], path: str) -> str:
    function = value.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        raise BadRequest(f"{path}.function.name is missing", param=f"{path}.function.name")
    return name
