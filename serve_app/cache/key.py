"""Which requests may share an answer: a request in, a fingerprint out.

Everything in a request that may change the answer is in the fingerprint, fields unknown to us
included. Two requests are equal if their JSON means the same: order of keys and white space do
not matter, 1 is 1.0, and text is compared in Unicode's composed form (NFC). A field that is
absent and one that is null are different, as providers may treat them differently. Of a key
that occurs twice the last one counts, as in every common JSON parser and in our own checks.
A field that is left out is not the same as one that has its provider's default: the next
provider in the plan may have another. An image that came with the request counts by its bytes,
however they were encoded; one that is only linked to may have changed, so that such a request
has no fingerprint.

The partition is the fingerprint without the last text of the user: answers are only looked for by
likeness among requests that are equal in all the rest.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import unicodedata
from typing import Any, Final

import msgspec
from msgspec import Struct

from serve_app.core.errors import BadRequest
from serve_app.core.kept import Question
from serve_app.core.types import ChatRequest

LEFT_OUT: Final = {
    "stream": "one answer serves both: it is stored whole and replayed as events",
    "stream_options": "says how the stream is framed, not what it says",
    "user": "the provider's abuse tracking; tenants are apart in the fingerprint itself",
    "safety_identifier": "the same, by its newer name",
    "metadata": "labels for the provider's dashboard",
    "store": "whether the provider keeps a copy",
    "service_tier": "how fast and at what price, not what",
    "prompt_cache_key": "where the provider keeps the prompt, not what it answers",
    "prompt_cache_retention": "for how long it does",
}
"""Fields that do not change the answer, and why."""

_VERSION: Final = "serve-app answer 2"
"""Changed with everything that gives equal requests another fingerprint."""

_EXACT_INTEGERS: Final = 2.0**63


def _number(text: str) -> float | int | msgspec.Raw:
    """One form for each number that is not written as an integer.

    Floats that are whole become integers. What no float can hold (1e400) stays as written,
    as the encoder would make null of it.
    """
    value = float(text)
    if value.is_integer() and abs(value) < _EXACT_INTEGERS:
        return int(value)
    return msgspec.Raw(text.encode()) if math.isinf(value) else value


_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Malformed, not UTF-8, nested without end."""

_DECODER: Final = msgspec.json.Decoder(float_hook=_number)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class Prints(Struct, frozen=True, gc=False):
    """What a request is known by in the cache."""

    exact: str
    """Hexadecimal SHA-256; empty: its answer cannot be kept, see `why`."""
    question: Question | None = None
    why: str = ""


def prints(request: ChatRequest, scope: str, rules: str, *, alike: bool = False) -> Prints:
    """The fingerprint of all that decides an answer.

    Args:
        request: its fields are looked at, not its typed view.
        scope: tenant, or name of a shared scope: answers never leave it.
        rules: digest of the policy that decides answers.
        alike: also make the partition and the question in it, if there is one.

    Raises:
        BadRequest: a field is not JSON that can be understood; `param` names it.
    """
    fields = {name: raw for name, raw in request.fields.items() if name not in LEFT_OUT}
    try:
        value = _DECODER.decode(_ENCODER.encode(fields))
        if not _by_content(value):
            return Prints("", why="an image is only linked to")
        value, encoded = _canonical(value)
        head = _ENCODER.encode([_VERSION, scope, rules])
        exact = hashlib.sha256(head + encoded).hexdigest()
        return Prints(exact, _question(value, head) if alike else None)
    except _UNREADABLE as error:
        raise _malformed(fields) from error


def fingerprint(request: ChatRequest, scope: str, rules: str) -> str:
    """The exact fingerprint alone; see `prints`."""
    return prints(request, scope, rules).exact


def _canonical(value: Any) -> tuple[Any, bytes]:
    """JSON that is the same for all ways to write the same fields, and what it says."""
    encoded = _ENCODER.encode(value)
    if encoded.isascii() or unicodedata.is_normalized("NFC", encoded.decode()):
        return value, encoded
    value = _composed(value)
    return value, _ENCODER.encode(value)


def _question(value: Any, head: bytes) -> Question | None:
    """The last text of the user, and a digest of everything else; None if it is not the last."""
    messages = value.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return None
    content = last.get("content")
    if isinstance(content, str):
        text = content
        rest: list[Any] | None = None
    elif isinstance(content, list):
        texts = [part for part in content if isinstance(part, dict) and "text" in part]
        if len(texts) != 1 or not isinstance(texts[0]["text"], str):
            return None
        text = texts[0]["text"]
        rest = [{**part, "text": None} if part is texts[0] else part for part in content]
    else:
        return None
    others = {**value, "messages": [*messages[:-1], {**last, "content": rest}]}
    digest = hashlib.sha256(b"partition" + head + _ENCODER.encode(others))
    return Question(digest.hexdigest(), text)


def _by_content(value: Any) -> bool:
    """Put the digest of each image's bytes in its place; False if one is not in the request."""
    messages = value.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            if not (isinstance(part, dict) and part.get("type") == "image_url"):
                continue
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else image
            if not isinstance(url, str) or (digest := _digest(url)) is None:
                return False
            part["image_url"] = {**image, "url": digest} if isinstance(image, dict) else digest
    return True


def _digest(url: str) -> str | None:
    """`image/png sha256:...` of a data URL; None for any other."""
    kind, comma, data = url.partition(",")
    if not (comma and kind.startswith("data:") and kind.endswith(";base64")):
        return None
    try:
        content = base64.b64decode(data, validate=False)
    except (binascii.Error, ValueError):
        return None
    return f"{kind[5:-7].lower()} sha256:{hashlib.sha256(content).hexdigest()}"


def _composed(value: Any) -> Any:
    """The same value with every string in NFC."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [_composed(item) for item in value]
    if isinstance(value, dict):
        return {_composed(key): _composed(item) for key, item in value.items()}
    return value


def _malformed(fields: dict[str, msgspec.Raw]) -> BadRequest:
    """The error for the first field that cannot be read."""
    name = next((name for name, raw in fields.items() if not _is_readable(raw)), None)
    return BadRequest(f"{name or 'the request'} is not JSON that can be read", param=name)


def _is_readable(raw: msgspec.Raw) -> bool:
    try:
        _ENCODER.encode(_DECODER.decode(raw))
    except _UNREADABLE:
        return False
    return True
