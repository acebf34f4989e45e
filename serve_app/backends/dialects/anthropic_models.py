"""What each generation of Claude takes: a model's name in, its manners out.

The Messages API is one, but what its models accept is not, and what they do not is a 400:
https://platform.claude.com/docs/en/about-claude/models/migration-guide
"""

from __future__ import annotations

import re

from msgspec import Struct

_NUMBER_LAST = re.compile(r"claude-([a-z]+)-(\d+)(?:-(\d{1,2}))?(?!\d)")
_NUMBER_FIRST = re.compile(r"claude-(\d+)(?:-(\d{1,2}))?-([a-z]+)")
_ALWAYS_THINK = frozenset({"fable", "mythos"})
_NEWEST = (99, 0)
_OLDEST = (0, 0)


class Manners(Struct, frozen=True, gc=False):
    """What one model takes."""

    is_adaptive: bool
    """Thinks as much as `output_config.effort` says; else a budget of tokens is set."""
    takes_xhigh: bool
    thinks_unasked: bool
    may_be_forced: bool
    """Takes a `tool_choice` that forces a call."""
    takes_sampling: bool
    """Takes `temperature`, `top_p`, `top_k`."""
    takes_prefix: bool
    """Goes on from an assistant message."""


def manners_of(model: str) -> Manners:
    """By family and version, as in `claude-haiku-4-5-20251001` or `claude-3-7-sonnet-latest`.

    A Claude without a number is taken for the newest. Other people's models that speak this API
    take what the first Claudes took.
    """
    family, version = _named(model)
    always_thinks = version >= (5, 5) or family in _ALWAYS_THINK
    return Manners(
        is_adaptive=version >= (4, 6),
        takes_xhigh=version >= (4, 7),
        thinks_unasked=version >= (5, 0),
        may_be_forced=not always_thinks,
        takes_sampling=version < (4, 7),
        takes_prefix=version < (4, 6),
    )


def _named(model: str) -> tuple[str, tuple[int, int]]:
    if found := _NUMBER_LAST.search(model):
        return found[1], (int(found[2]), int(found[3] or 0))
    if found := _NUMBER_FIRST.search(model):
        return found[3], (int(found[1]), int(found[2] or 0))
    return "", _NEWEST if "claude" in model else _OLDEST
