"""Which keys open the console: a key to the role of who has it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

from serve_app.core.api_key import digest, key_id
from serve_app.core.visitor import Role

_MAX_KEY_CHARS: Final = 1024


class Locks:
    """Admin keys, and the one of those who only look.

    Args:
        admin: the id of an admin key; None or empty: it is none.
        has_admin: whether there is an admin key of an id.
        viewer_key: empty: nobody only looks.
    """

    def __init__(
        self,
        admin: Callable[[str], str | None],
        has_admin: Callable[[str], bool],
        viewer_key: str,
    ) -> None:
        self._admin = admin
        self._has_admin = has_admin
        self._viewer = digest(viewer_key) if viewer_key else b""

    @property
    def has_viewer(self) -> bool:
        return bool(self._viewer)

    def role_of(self, key: str) -> tuple[Role, str] | None:
        """What a key opens, and its id; None: nothing.

        Digests are compared, so that how long it takes says nothing about a key.
        """
        key = key.strip()
        if not key or len(key) > _MAX_KEY_CHARS:
            return None
        if admin_id := self._admin(key):
            return "admin", admin_id
        if self._viewer and hmac.compare_digest(self._viewer, digest(key)):
            return "viewer", self._viewer_id
        return None

    def is_good(self, role: Role, id_of_key: str) -> bool:
        """Whether a key that opened a session would still open one."""
        if role == "admin":
            return self._has_admin(id_of_key)
        return bool(self._viewer) and id_of_key == self._viewer_id

    @property
    def _viewer_id(self) -> str:
        return key_id(self._viewer.hex())
