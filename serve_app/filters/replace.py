"""What stands in the place of what was found: a tag, stars, a keyed digest.

None of them holds a quote or a backslash, so that JSON around them stays JSON.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from serve_app.core.errors import PolicyRejected
from serve_app.filters.stream import Replace

_PARTLY_SHOWN: Final = frozenset({"card", "phone"})
_SHOWN_CHARS: Final = 4
_DIGEST_HEX: Final = 10
_MIN_KEY_CHARS: Final = 16
_NO_LABEL = re.compile("[^A-Z0-9]+")


def label_of(kind: str) -> str:
    """A kind as it stands in tags and placeholders: `cn_id` is `CN_ID`."""
    return _NO_LABEL.sub("_", kind.upper()).strip("_") or "REDACTED"


def tag(kind: str, _: str) -> str:
    """`[EMAIL]`."""
    return f"[{label_of(kind)}]"


def mask(kind: str, value: str) -> str:
    """As many stars; of cards and phones the last four characters stay, as on a receipt."""
    shown = value[-_SHOWN_CHARS:]
    if kind in _PARTLY_SHOWN and len(value) > 2 * _SHOWN_CHARS and shown.isalnum():
        return "*" * (len(value) - _SHOWN_CHARS) + shown
    return "*" * len(value)


def keyed(key: bytes) -> Replace:
    """`[EMAIL:ab12cd34ef]`: equal for equal values, and of no use without the key.

    The digest is HMAC-SHA256 (RFC 2104), the first 40 bits of it.
    """

    def digest(kind: str, value: str) -> str:
        said = value.encode("utf-8", "surrogatepass")
        hexed = hmac.new(key, said, hashlib.sha256).hexdigest()
        return f"[{label_of(kind)}:{hexed[:_DIGEST_HEX]}]"

    return digest


def key_of(place: str, name: str, environ: Mapping[str, str]) -> bytes:
    """The key of a rule that replaces by digests.

    Args:
        place: of the rule in the policy, for the error message.
        name: of the environment variable.

    Raises:
        PolicyRejected: it is not set, or too short to keep anything.
    """
    key = environ.get(name, "")
    if len(key) < _MIN_KEY_CHARS:
        raise PolicyRejected(
            f"{place}.key_env: the environment variable {name} must hold a key of at least "
            f"{_MIN_KEY_CHARS} characters for `replace: hash`"
        )
    return key.encode()
