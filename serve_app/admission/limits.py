"""How often somebody may ask: buckets in Redis, all of them taken from in one call or none."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from serve_app.store.client import Store

_MINUTE_US = 60_000_000


class Limit(Struct, frozen=True, gc=False):
    """So many requests a minute; as many may come at once after a quiet minute."""

    name: str
    """For the caller: `100 requests per minute per user`."""
    bucket: str
    """Its key in Redis."""
    per_minute: int


class Level(Struct, frozen=True, gc=False):
    """What is left of a limit, and seconds until it is whole again."""

    limit: Limit
    remaining: int
    reset_s: float


class Taken(Struct, frozen=True, gc=False):
    """Outcome of one request: `refused` is the limit in its way, if there is one."""

    levels: tuple[Level, ...]
    refused: Limit | None = None
    retry_after_s: float = 0.0


async def take(store: Store, limits: Sequence[Limit]) -> Taken:
    """Count one request against every limit, or against none if one of them refuses.

    All limits must belong to one tenant.

    Raises:
        StoreUnavailable: it is unknown whether the request was counted.
    """
    args = [arg for limit in limits for arg in (limit.per_minute, _step_us(limit))]
    refused, wait_us, *levels = await store.script("take", [x.bucket for x in limits], args)
    return Taken(
        levels=tuple(
            Level(limit, levels[2 * i], levels[2 * i + 1] / 1e6) for i, limit in enumerate(limits)
        ),
        refused=limits[refused - 1] if refused else None,
        retry_after_s=wait_us / 1e6,
    )


def _step_us(limit: Limit) -> int:
    return max(1, _MINUTE_US // limit.per_minute)
