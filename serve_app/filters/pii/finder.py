"""Personal data by its form: which kinds there are, and the Finder of some of them."""

from __future__ import annotations

from collections.abc import Sequence

from serve_app.filters.pii.bank import CARD, IBAN
from serve_app.filters.pii.email import EMAIL
from serve_app.filters.pii.identity import CN_ID, PASSPORT, US_SSN
from serve_app.filters.pii.network import IP, MAC
from serve_app.filters.pii.phone import PHONE
from serve_app.filters.pii.wallet import WALLET
from serve_app.filters.shapes.finder import ShapeFinder
from serve_app.filters.shapes.form import Form

# Where two forms fit at one place, the first one counts: what has a checksum comes first.
KINDS: dict[str, tuple[Form, ...]] = {
    "email": EMAIL,
    "iban": IBAN,
    "cn_id": CN_ID[:1],
    "card": CARD,
    "wallet": WALLET,
    "us_ssn": US_SSN,
    "passport": PASSPORT,
    "mac": MAC,
    "ip": IP,
    "phone": PHONE,
}
_LAST = {"cn_id": CN_ID[1:]}
DEFAULT_KINDS = ("email", "phone", "cn_id", "card", "iban", "us_ssn", "passport", "wallet")
"""Without `ip` and `mac`, which answers about networks are full of, and `name`, which needs a
recogniser (see `name.py`)."""

TAGS = {**{kind: f"[{kind.upper()}]" for kind in KINDS}, "name": "[NAME]"}
"""What stands in the place of a match."""


class PiiFinder(ShapeFinder):
    """Finds personal data of some kinds.

    Raises:
        ValueError: a kind that is not one of KINDS, or none at all.
    """

    def __init__(self, kinds: Sequence[str] = DEFAULT_KINDS) -> None:
        if unknown := sorted(set(kinds) - KINDS.keys()):
            known = ", ".join(sorted(KINDS))
            raise ValueError(f"kinds: one of {known}, got {', '.join(unknown)}")
        if not kinds:
            raise ValueError("kinds: at least one is needed")
        wanted = [kind for kind in KINDS if kind in kinds]
        forms = [form for kind in wanted for form in KINDS[kind]]
        super().__init__([*forms, *(form for kind in wanted for form in _LAST.get(kind, ()))])
