"""Who is logged in at the console."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Role = Literal["admin", "viewer"]


class Visitor(Struct, frozen=True):
    """A session of the console, as its cookie says."""

    id: str
    role: Role
    key_id: str
    """Of the key that it was opened with."""
    ends_at: int
    """Unix seconds."""
    csrf: str
    """Said with every request that changes something, by the page that has this session."""
    is_sure: bool = True
    """False: nobody could say whether it has been ended."""

    @property
    def admin_id(self) -> str:
        """The id of the admin key that it stands for; empty: it only looks."""
        return self.key_id if self.role == "admin" else ""
