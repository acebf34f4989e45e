"""Which names a key may use: whole ones, and beginnings that end in `*`."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Allowed(Struct, frozen=True, gc=False):
    """A list of names; an empty one allows all. Made by `allowed`."""

    names: frozenset[str] = frozenset()
    beginnings: tuple[str, ...] = ()

    @property
    def all(self) -> bool:
        return not self.names and not self.beginnings

    def has(self, name: str) -> bool:
        return self.all or name in self.names or name.startswith(self.beginnings)


class AllowedModels(Struct, frozen=True, gc=False):
    """Models by name, whatever its case: `MODEL` is that of every backend, `BACKEND/MODEL` of
    one. Made by `allowed_models`."""

    allowed: Allowed = Allowed()

    @property
    def all(self) -> bool:
        return self.allowed.all

    def has(self, model: str) -> bool:
        if self.all:
            return True
        name = model.lower()
        return self.allowed.has(name) or self.allowed.has(name.partition("/")[2] or name)


EVERYTHING = Allowed()
EVERY_MODEL = AllowedModels()


def allowed(names: Iterable[str]) -> Allowed:
    """
    Args:
        names: `gpt-4o`, `gpt-*`; `*` alone is everything, as no name at all is.
    """
    names = tuple(names)
    if not names:
        return EVERYTHING
    return Allowed(
        frozenset(name for name in names if not name.endswith("*")),
        tuple(name[:-1] for name in names if name.endswith("*")),
    )


def allowed_models(names: Iterable[str]) -> AllowedModels:
    """The same for models."""
    found = allowed(name.lower() for name in names)
    return EVERY_MODEL if found is EVERYTHING else AllowedModels(found)
