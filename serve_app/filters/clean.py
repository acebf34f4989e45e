"""Texts that the rules had nothing to say about, known again by a digest.

Prompts repeat: a cached question, an agent's system prompt with the same document. Judging 600
characters takes 15 us, knowing them again 5. Only digests are kept, never a text.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import Final

from serve_app.core.screening import Texts

_REMEMBERED: Final = 4096
_MAX_CHARS: Final = 16_384
"""Digesting a longer text costs what is worth saving."""

Name = bytes


class CleanTexts:
    """Of one set of rules; forgets those not seen for longest."""

    def __init__(self) -> None:
        self._names: OrderedDict[Name, None] = OrderedDict()

    def name(self, item: Texts) -> Name | None:
        """By which texts are known, with their places; None: they are too long to be."""
        if sum(map(len, item.texts)) > _MAX_CHARS:
            return None
        digest = hashlib.blake2b(digest_size=16)
        for place, text in zip(item.places, item.texts, strict=True):
            said = text.encode("utf-8", "surrogatepass")
            digest.update(b"%s %d " % (place.encode(), len(said)))
            digest.update(said)
        return digest.digest()

    def __contains__(self, name: Name) -> bool:
        if name not in self._names:
            return False
        self._names.move_to_end(name)
        return True

    def add(self, name: Name) -> None:
        self._names[name] = None
        if len(self._names) > _REMEMBERED:
            self._names.popitem(last=False)
