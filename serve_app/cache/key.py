"""Which requests may share an answer: a request in, a fingerprint out.

Everything in a request that may change the answer is in the fingerprint, fields unknown to us
included. Two requests are equal if their JSON means the same: order of keys and white space do
not matter, 1 is 1.0, and text is compared in Unicode's composed form (NFC). A field that is
absent and one that is null are different, as providers may treat them differently. Of a key
that occurs twice the last one counts, as in every common JSON parser and in our own checks.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from typing import Any, Final

import msgspec

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatRequest

LEFT_OUT: Final = {
    "stream": "one answer serves both: it is stored whole and replayed as events",
    "stream_options": "says how the stream is framed, not what it says",
    "user": "the provider's abuse tracking; tenants are apart in the fingerprint itself",
    "metadata": "labels for the provider's dashboard",
    "store": "whether the provider keeps a copy",
    "service_tier": "how fast and at what price, not what",
}
"""Fields that do not change the answer, and why."""

_VERSION: Final = "serve-app answer 1"
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


def fingerprint(request: ChatRequest, tenant: str, policy_version: str) -> str:
    """Hexadecimal SHA-256 of all that decides an answer.

    Args:
        request: its fields are looked at, not its typed view.
        tenant: answers are never shared between tenants.
        policy_version: another policy may filter or route otherwise.

    Raises:
        BadRequest: a field is not JSON that can be understood; `param` names it.
    """
    fields = {name: raw for name, raw in request.fields.items() if name not in LEFT_OUT}
    scope = _ENCODER.encode([_VERSION, tenant, policy_version])
    return hashlib.sha256(scope + _canonical(fields)).hexdigest()


def _canonical(fields: dict[str, msgspec.Raw]) -> bytes:
    """JSON that is the same for all ways to write the same fields."""
    try:
        value = _DECODER.decode(_ENCODER.encode(fields))
        encoded = _ENCODER.encode(value)
        if encoded.isascii() or unicodedata.is_normalized("NFC", encoded.decode()):
            return encoded
        return _ENCODER.encode(_composed(value))
    except _UNREADABLE as error:
        raise _malformed(fields) from error


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
