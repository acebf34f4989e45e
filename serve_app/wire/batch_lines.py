"""The lines of a batch's files: requests that go in, answers that come out."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from serve_app.core.batch import LineError

MAX_CUSTOM_ID: Final = 512
_BOM: Final = b"\xef\xbb\xbf"


class RequestLine(Struct, frozen=True):
    """A request as a line of an input file."""

    custom_id: str
    body: bytes
    """JSON of an object."""
    model: str = ""
    """Empty: it names none that is text."""
    inputs: int = 1
    """Texts to embed; 1 where it is no request for embeddings."""


class _Line(Struct):
    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: Raw = Raw(b"")


class _Body(Struct):
    model: Any = None
    input: Raw = Raw(b"")


_line: Final = msgspec.json.Decoder(_Line)
_body: Final = msgspec.json.Decoder(_Body)
_inputs: Final = msgspec.json.Decoder(list[Raw])
_encode: Final = msgspec.json.Encoder().encode


def decode_line(text: bytes, number: int, endpoint: str) -> RequestLine | LineError:
    """Check a line of an input file. What only a model's backend can know is not checked: the
    answer to the line will say it.

    Args:
        number: of the line, from 1.
        endpoint: that all lines of the batch are requests of.
    """
    if number == 1:
        text = text.removeprefix(_BOM)
    try:
        text.decode("utf-8")
        line = _line.decode(text)
    except (UnicodeDecodeError, msgspec.MsgspecError, RecursionError):
        what = "This line is not parseable as valid JSON of an object."
        return LineError("invalid_json_line", what, number)
    body = bytes(line.body)
    if problem := _problem(line, body, endpoint):
        return LineError(*problem[:2], number, problem[2])
    model, inputs = _asked(body, endpoint)
    return RequestLine(line.custom_id, body, model, inputs)


def _problem(line: _Line, body: bytes, endpoint: str) -> tuple[str, str, str] | None:
    """Code, message and field of the first thing that is wrong."""
    for name in ("custom_id", "method", "url", "body"):
        if getattr(line, name) is None or (name == "body" and body in (b"", b"null")):
            return "missing_required_parameter", f"{name!r} is missing.", name
    custom_id = line.custom_id
    if not isinstance(custom_id, str) or not 0 < len(custom_id) <= MAX_CUSTOM_ID:
        what = f"custom_id must be text of 1 to {MAX_CUSTOM_ID} characters."
        return "invalid_custom_id", what, "custom_id"
    if line.method != "POST":
        return "invalid_method", "method must be 'POST'.", "method"
    if line.url != endpoint:
        return "mismatched_url", f"url must be the batch's endpoint, {endpoint!r}.", "url"
    if not body.startswith(b"{"):
        return "invalid_body", "body must be an object.", "body"
    return None


def _asked(body: bytes, endpoint: str) -> tuple[str, int]:
    """The model that a body names, and how many texts it has to embed."""
    try:
        asked = _body.decode(body)
        many = endpoint == "/v1/embeddings" and bytes(asked.input).startswith(b"[")
        inputs = len(_inputs.decode(asked.input)) if many else 1
    except (msgspec.MsgspecError, RecursionError):
        return "", 1
    return asked.model if isinstance(asked.model, str) else "", inputs


def answer_line(line_id: str, custom_id: str, status: int, request_id: str, body: bytes) -> bytes:
    """A line of an output or error file: what a request's caller would have got over HTTP."""
    response = {"status_code": status, "request_id": request_id, "body": Raw(_one_line(body))}
    return _out(line_id, custom_id, response, None)


def skipped_line(line_id: str, custom_id: str, code: str, message: str) -> bytes:
    """A line of an error file: a request that was not made."""
    return _out(line_id, custom_id, None, {"code": code, "message": message})


def _out(line_id: str, custom_id: str, response: object, error: object) -> bytes:
    value = {"id": line_id, "custom_id": custom_id, "response": response, "error": error}
    return _encode(value) + b"\n"


def _one_line(body: bytes) -> bytes:
    """JSON without its line ends: some providers write theirs for people.

    What is no JSON becomes text.
    """
    try:
        return msgspec.json.format(body, indent=-1)
    except msgspec.DecodeError:
        return _encode(body.decode("utf-8", "replace"))
