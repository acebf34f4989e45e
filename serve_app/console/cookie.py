"""The cookie of a session: its name, its header, and how it is found among others."""

from __future__ import annotations

from typing import Final

_PLAIN: Final = "serve_app_console"
_BOUND: Final = f"__Host-{_PLAIN}"
"""Browsers take this name only over https and from this very host (RFC 6265bis, 4.1.3.2)."""

MARK: Final = _PLAIN.encode()
"""In every `Cookie` header that has one."""


def found(header: str, *, is_https: bool) -> str | None:
    """The value of our cookie in a `Cookie` header; None: it has none.

    Over https only the bound one counts: a neighbour of the same site could set the other.
    """
    wanted = _BOUND if is_https else _PLAIN
    for pair in header.split(";"):
        name, _, value = pair.strip().partition("=")
        if name == wanted:
            return value
    return None


def kept(value: str, lasts_s: int, *, is_https: bool) -> str:
    """The `Set-Cookie` header that gives a session to a browser."""
    name, secure = (_BOUND, "; Secure") if is_https else (_PLAIN, "")
    return f"{name}={value}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Strict{secure}"


def forgotten(*, is_https: bool) -> str:
    """The `Set-Cookie` header that takes it away again."""
    return kept("", 0, is_https=is_https)
