"""The texts of one request while the rules read them, one rule after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from serve_app.core.screening import Finding, Texts, Verdict
from serve_app.filters.rules import Head
from serve_app.filters.vault import Vault


class Page:
    """What the rules before have made of a request's texts, and what they found."""

    __slots__ = ("_found", "_item", "_places", "_vault", "_warnings", "blocked", "texts")

    def __init__(self, item: Texts) -> None:
        self._item = item
        self._places = item.places
        self._vault: Vault | None = None
        self._found: Counter[tuple[str, str]] = Counter()
        self._warnings: dict[str, None] = {}
        self.texts = item.texts
        self.blocked = ""
        """Name of the rule that refuses the request."""

    def of(self, head: Head) -> Iterator[tuple[int, str, str]]:
        """Number, place and text of all that a rule looks at."""
        where = head.where
        for number, (place, text) in enumerate(zip(self._places, self.texts, strict=True)):
            if place in where and text:
                yield number, place, text

    def note(self, head: Head, kinds: Iterable[str]) -> None:
        """Matches of a rule, by kind."""
        self._found.update((head.finding(kind), head.noted) for kind in kinds)
        if head.warns:
            self._warnings[head.name] = None
        if head.blocks:
            self.blocked = head.name

    def put(self, number: int, text: str) -> None:
        """Another text in a text's place."""
        self.texts = (*self.texts[:number], text, *self.texts[number + 1 :])

    def at(self, place: str) -> tuple[str, ...]:
        """The texts of a place as they are now."""
        return tuple(
            [text for at, text in zip(self._places, self.texts, strict=True) if at == place]
        )

    @property
    def vault(self) -> Vault:
        if self._vault is None:
            self._vault = Vault(self._item.names, self._item.texts)
        return self._vault

    def verdict(self, allow: Verdict) -> Verdict:
        """What comes of it.

        Args:
            allow: the verdict where nothing was found, which says what holds of every one.
        """
        if not self._found:
            return allow
        findings = tuple([Finding(*key, count) for key, count in self._found.items()])
        if self.blocked:
            return Verdict("block", self.blocked, findings, rules=allow.rules)
        changed = self.texts is not self._item.texts
        return Verdict(
            action="redact" if changed else "allow",
            findings=findings,
            texts=self.texts if changed else None,
            rules=allow.rules,
            warnings=tuple(self._warnings),
            vault=self._vault.new if self._vault is not None else (),
            guards=allow.guards,
        )
