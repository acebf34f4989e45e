"""Texts that are used but never shown: not in a log, nor in a traceback that lists variables."""

from __future__ import annotations


class Secret(str):
    """A key: a text like any other, but for its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(...)"


class SecretHeaders(dict[str, str]):
    """Headers, one of which holds a key; `repr` shows names only."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"SecretHeaders({', '.join(self)})"
