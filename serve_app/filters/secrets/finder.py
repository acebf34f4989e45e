"""Secrets by their form: keys, tokens, private keys, connection strings."""

from __future__ import annotations

from serve_app.filters.secrets.assignments import ASSIGNMENTS
from serve_app.filters.secrets.jwt import JWT
from serve_app.filters.secrets.private_key import PRIVATE_KEY
from serve_app.filters.secrets.tokens import TOKENS
from serve_app.filters.shapes.finder import ShapeFinder

# Where two forms fit at one place, the first one counts: the more telling one comes first.
FORMS = (*PRIVATE_KEY, *JWT, *TOKENS, *ASSIGNMENTS)

KINDS = tuple(dict.fromkeys(form.kind for form in FORMS))
TAGS = dict.fromkeys(KINDS, "[SECRET]")
"""What stands in the place of a match: which issuer it was is in the kind, not in the text."""


class SecretsFinder(ShapeFinder):
    """Finds secrets of all kinds."""

    def __init__(self) -> None:
        super().__init__(FORMS)
