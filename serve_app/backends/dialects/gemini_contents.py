"""Messages as Gemini takes them: a system instruction apart, then contents of user and model."""

from __future__ import annotations

import mimetypes
from urllib.parse import urlsplit

from serve_app.backends.dialects.canonical_request import (
    Json,
    Message,
    Part,
    ToolCall,
    arguments_of,
    split_data_url,
    text_of,
    unsupported,
)

PROVIDER = "Gemini"

NO_SIGNATURE = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model made, as Google says to:
https://ai.google.dev/gemini-api/docs/thought-signatures"""


def system_of(messages: list[Message]) -> list[Json]:
    """The parts of every message of the system and the developer, in order."""
    return [
        _part(part)
        for message in messages
        if message.role in ("system", "developer")
        for part in message.parts()
    ]


def contents_of(messages: list[Message], *, wants_signatures: bool) -> list[Json]:
    """Alternating contents.

    Raises:
        AttemptFailed: something in the messages has no words here.
    """
    contents: list[Json] = []
    names: dict[str, str] = {}
    for message in messages:
        if message.role in ("system", "developer"):
            continue
        role, parts = _said(message, names, wants_signatures=wants_signatures)
        if not parts:
            continue
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    if not contents or contents[0]["role"] == "model":
        contents.insert(0, {"role": "user", "parts": [{"text": "(continued)"}]})
    return contents


def _said(
    message: Message, names: dict[str, str], *, wants_signatures: bool
) -> tuple[str, list[Json]]:
    """Role and parts.

    Args:
        names: of the functions called so far, by the call's id; results go by name here.
    """
    match message.role:
        case "user":
            return "user", [_part(part) for part in message.parts()]
        case "assistant":
            calls = message.tool_calls or []
            names.update((c.id, c.function.name) for c in calls if c.function is not None)
            return "model", [*_texts(message), *_calls(calls, wants_signatures=wants_signatures)]
        case "tool":
            return "user", [_response(message, names)]
    raise unsupported(PROVIDER, f"messages of the role {message.role[:40]!r}", "messages")


def _texts(message: Message) -> list[Json]:
    parts = [_part(part) for part in message.parts()]
    if parts and (signature := signature_in(message.extra_content)):
        parts[-1]["thoughtSignature"] = signature
    return parts


def _part(part: Part) -> Json:
    if part.type in ("text", "refusal"):
        return {"text": text_of(part)}
    if part.type == "image_url" and part.image_url is not None:
        return _data(part.image_url.url)
    if part.type == "file" and part.file is not None and part.file.file_data:
        return _data(part.file.file_data)
    raise unsupported(PROVIDER, f"content of the type {part.type[:40]!r}", "messages")


def _data(url: str) -> Json:
    if (data := split_data_url(url)) is not None:
        return {"inlineData": {"mimeType": data[0], "data": data[1]}}
    if url.startswith(("https://", "http://", "gs://")):
        kind = mimetypes.guess_type(urlsplit(url).path)[0] or "image/jpeg"
        return {"fileData": {"mimeType": kind, "fileUri": url}}
    raise unsupported(PROVIDER, "images or files but as base64 or by address", "messages")


def _calls(calls: list[ToolCall], *, wants_signatures: bool) -> list[Json]:
    """Calls of functions. Only the first of parallel ones has a signature."""
    parts: list[Json] = []
    for call in calls:
        if call.function is None:
            raise unsupported(PROVIDER, f"tool calls of the type {call.type[:40]!r}", "messages")
        value = {"name": call.function.name, "args": arguments_of(call, PROVIDER)}
        part: Json = {"functionCall": {"id": call.id, **value} if call.id else value}
        if signature := signature_in(call.extra_content):
            part["thoughtSignature"] = signature
        elif wants_signatures and not parts:
            part["thoughtSignature"] = NO_SIGNATURE
        parts.append(part)
    return parts


def _response(message: Message, names: dict[str, str]) -> Json:
    id_ = message.tool_call_id or ""
    name = names.get(id_) or message.name
    if name is None:
        raise unsupported(PROVIDER, "results of tools that nobody called", "messages")
    parts = message.parts()
    text = "".join(text_of(part) for part in parts)
    response: Json = {"name": name, "response": {"error" if message.is_error else "output": text}}
    if id_:
        response["id"] = id_
    if others := [_part(part) for part in parts if part.type not in ("text", "refusal")]:
        response["parts"] = others
    return {"functionResponse": response}


def signature_in(extra: Json | None) -> str | None:
    """The signature in an `extra_content`, under the key that Google's OpenAI endpoint uses."""
    google = (extra or {}).get("google")
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) and signature else None


def with_signature(signature: str | None) -> Json | None:
    """An `extra_content` that holds a signature."""
    return {"google": {"thought_signature": signature}} if signature else None
