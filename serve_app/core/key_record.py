"""API keys as rooms speak of them: what is stored of one, what an admin may say, what is shown."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from serve_app.core.api_key import key_id

Priority = Literal["interactive", "batch"]
"""Whose requests go first when a local model is busy."""


class KeyTerms(Struct, frozen=True):
    """What an admin says about a key that is to be made."""

    tenant: str
    user: str = ""
    """Empty: the key's own id."""
    team: str = ""
    models: tuple[str, ...] = ()
    """Names it may ask for; `gpt-*` is a beginning; empty: all."""
    paths: tuple[str, ...] = ()
    """Routes it may use, like `/v1/chat/completions` or `/v1/*`; empty: all."""
    limits: dict[str, Any] = {}
    """Its own limits and budget, in the shape of the policy's."""
    priority: Priority = "interactive"
    expires_at: int = 0
    """Unix seconds; 0: never."""
    note: str = ""


class KeyChange(Struct, frozen=True):
    """What is to be different about a key; the rest stays."""

    team: str | UnsetType = UNSET
    models: tuple[str, ...] | UnsetType = UNSET
    paths: tuple[str, ...] | UnsetType = UNSET
    limits: dict[str, Any] | UnsetType = UNSET
    priority: Priority | UnsetType = UNSET
    expires_at: int | UnsetType = UNSET
    note: str | UnsetType = UNSET


class KeyRecord(Struct, frozen=True, gc=False):
    """A key without the key. Times are Unix seconds by Redis's clock, 0: never."""

    sha256: str
    """Of the key, in hex."""
    tenant: str
    user: str = ""
    team: str = ""
    models: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    limits: dict[str, Any] = {}
    priority: Priority = "interactive"
    expires_at: int = 0
    disabled: bool = False
    created_at: int = 0
    note: str = ""
    replaces: str = ""
    """The id of the key that this one was made in place of."""
    replaced_by: str = ""
    retires_at: int = 0
    """When a key that was replaced ends."""
    version: int = 1
    """Goes up with every change."""
    origin: str = ""
    """The id of the first key of a row of rotations; empty: this one."""

    @property
    def id(self) -> str:
        return key_id(self.sha256)

    @property
    def account(self) -> str:
        """What limits and budgets of a key are counted under: a new key in place of an old one
        starts no new budget."""
        return self.origin or self.id

    def is_over(self, now: float) -> bool:
        """Whether its time has passed."""
        return bool(
            (self.expires_at and now >= self.expires_at)
            or (self.retires_at and now >= self.retires_at)
        )


class NewKey(Struct, frozen=True):
    """A key that was just made: the only time that it is there to be seen."""

    key: str
    record: KeyRecord


class KeyQuery(Struct, frozen=True):
    """Which keys to list; newest first."""

    tenant: str = ""
    """Empty: of all."""
    after: str = ""
    """The `next` of the page before."""
    limit: int = 100


class KeyPage(Struct, frozen=True):
    records: list[KeyRecord]
    next: str = ""
    """Where the next page begins; empty: there is none."""
