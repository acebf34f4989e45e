"""What the learned router sees of a text: the words it has, and its form."""

from __future__ import annotations

from typing import Final, NamedTuple

from serve_app.routing.learned.form import form
from serve_app.routing.learned.numbers import Floats, Ints
from serve_app.routing.learned.words import buckets

VERSION: Final = 1
"""Goes up with any change of words or form: what was trained on others does not fit then."""

_HEAD_CHARS: Final = 3000
_TAIL_CHARS: Final = 1000
"""A longer text is judged by its head and tail, as the scored rule does: bounded time."""


class Marks(NamedTuple):
    """One text as numbers."""

    buckets: Ints
    form: Floats


def marks(text: str) -> Marks:
    """The same for the same text, on every machine."""
    if len(text) > _HEAD_CHARS + _TAIL_CHARS:
        text = f"{text[:_HEAD_CHARS]}\n{text[-_TAIL_CHARS:]}"
    return Marks(buckets(text), form(text))
