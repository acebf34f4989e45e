"""What `up` tells the supervisor to do."""

from __future__ import annotations

from msgspec import Struct, field


class Order(Struct, frozen=True):
    folder: str
    """Of the instance."""
    config: str
    overlays: list[str] = field(default_factory=list)
    port: int | None = None
    device: str | None = None
    timeout_s: float = 900.0
    """For the whole start."""
    without_models: bool = False
    """Leave local models out: they cannot run here, hosted backends can."""
    notices: list[str] = field(default_factory=list)
    """What `up` found out and the caller should know."""
