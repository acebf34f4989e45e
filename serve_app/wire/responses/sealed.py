"""What a provider wants back of its reasoning (signatures, sealed blocks), as one opaque text.

It goes out as a reasoning item's `encrypted_content` and comes back in a later request. It is
encoded, not encrypted: its sealed parts were encrypted by the provider.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec

Json = dict[str, Any]

_MARK: Final = "sa1."
_decode = msgspec.json.Decoder(list[Json]).decode


def sealed(details: list[Any]) -> str:
    """Details of reasoning (see `core.types.Delta`) as a text."""
    return _MARK + base64.urlsafe_b64encode(msgspec.json.encode(details)).decode()


def opened(text: str | None) -> list[Json]:
    """The details in it; none in what another service made, which nobody here can read."""
    if text is None or not text.startswith(_MARK):
        return []
    try:
        return _decode(base64.urlsafe_b64decode(text[len(_MARK) :]))
    except (binascii.Error, ValueError, msgspec.MsgspecError, RecursionError):
        return []
