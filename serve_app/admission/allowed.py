"""Which names a key may use: whole ones, and beginnings that end in `*`."""

from __future__ import annotations

from collections.abc import Iterable


class Allowed:
    """A list of names; an empty one allows all.

    Args:
        names: `gpt-4o`, `gpt-*`; `*` alone is everything.
    """

    __slots__ = ("_beginnings", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        names = tuple(names)
        self._names = frozenset(name for name in names if not name.endswith("*"))
        self._beginnings = tuple(name[:-1] for name in names if name.endswith("*"))

    @property
    def all(self) -> bool:
        return not self._names and not self._beginnings

    def has(self, name: str) -> bool:
        return self.all or name in self._names or name.startswith(self._beginnings)


class AllowedModels:
    """Models by name, whatever its case: `MODEL` is that of every backend, `BACKEND/MODEL` of
    one."""

    __slots__ = ("_allowed",)

    def __init__(self, names: Iterable[str]) -> None:
        self._allowed = Allowed(name.lower() for name in names)

    @property
    def all(self) -> bool:
        return self._allowed.all

    def has(self, model: str) -> bool:
        if self._allowed.all:
            return True
        name = model.lower()
        return self._allowed.has(name) or self._allowed.has(name.partition("/")[2] or name)
