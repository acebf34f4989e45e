"""Scripts to try stores with: one of several keys, and one of a single key."""

from __future__ import annotations

from serve_app.store.client import Call, Command

APPEND = "conversation_append"
COUNT = "batch_shard"


def added(name: str, most: int | str = 5) -> Call:
    """A call of `APPEND` that adds a turn to the list of this name, of which `most` are kept.

    Its reply is `[1, how many were ever added]`. It has two keys more, in the same slot.
    """
    tag = name if "{" in name else f"{{{name}}}"
    keys = [name, f"{tag}|state", f"{tag}|names"]
    return keys, [b"turn", -1, 0, most, 1 << 20, 600, 0, 1, b"", 0, b"", 1]


def counting(name: str) -> Command:
    """The command that makes a key to be counted in."""
    return "HSET", name, "plan", "x", "shards", 0


def counted(name: str, number: int) -> Call:
    """A call of `COUNT`, which counts each number once; its reply is `[how many numbers, 0]`."""
    return [name], [number, "done"]
