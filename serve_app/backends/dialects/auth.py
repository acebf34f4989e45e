"""The header that carries a provider's key."""

from __future__ import annotations


def key_header(auth: str, key: str) -> dict[str, str]:
    """One header.

    Args:
        auth: as in `Quirks.auth`, `bearer` or the header's name.
    """
    return {"Authorization": f"Bearer {key}"} if auth == "bearer" else {auth: key}
