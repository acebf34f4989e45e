"""Snapshots in memory and as bytes: what a reader of the history has read already."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from serve_app.observe.metric import Labels
from serve_app.observe.snapshot import Snapshot, Values

FINE_S: Final = 900.0
"""So far back every snapshot is kept."""
COARSE_S: Final = 30.0
"""Between those that are kept before."""

LONGEST_S: Final = 3600.0
"""Nothing older is kept."""


class _Packed(Struct, array_like=True):
    at: float
    series: dict[str, list[tuple[list[str], float]]]
    """By name: label names and values one after the other, and the value."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode


def packed(snapshot: Snapshot) -> bytes:
    series = {
        name: [([part for pair in labels for part in pair], value) for labels, value in of.items()]
        for name, of in snapshot.series.items()
    }
    return zlib.compress(_encode(_Packed(snapshot.at, series)), 1)


class Recall:
    """Snapshots in the order of their times. Those in a row share what has not changed.

    Args:
        since: how far back they go, in Unix seconds.
    """

    def __init__(self, since: float = math.inf) -> None:
        self.since = since
        self.last = ""
        """Where reading goes on."""
        self.snapshots: list[Snapshot] = []
        self._before: dict[str, Values] = {}
        self._labels: dict[tuple[str, ...], Labels] = {}

    def take(self, contents: Iterable[bytes]) -> None:
        """Read more; takes milliseconds for each, so call it in a thread."""
        read = [self._read(content) for content in contents]
        self.snapshots = sorted([*self.snapshots, *read], key=lambda snapshot: snapshot.at)

    def thin(self, now: float) -> None:
        """Let go of what is too old, and of most of what is rather old."""
        kept: list[Snapshot] = []
        for snapshot in self.snapshots:
            if snapshot.at < now - LONGEST_S:
                continue
            slot = snapshot.at // COARSE_S
            if snapshot.at >= now - FINE_S or not kept or slot != kept[-1].at // COARSE_S:
                kept.append(snapshot)
        self.snapshots = kept

    def _read(self, content: bytes) -> Snapshot:
        found = _decode(zlib.decompress(content))
        series: dict[str, Values] = {}
        for name, rows in found.series.items():
            values = {self._named(tuple(flat)): value for flat, value in rows}
            same = self._before.get(name)
            series[name] = values if same is None or same != values else same
        self._before = series
        return Snapshot(found.at, series)

    def _named(self, flat: tuple[str, ...]) -> Labels:
        labels = self._labels.get(flat)
        if labels is None:
            labels = self._labels[flat] = tuple(zip(flat[::2], flat[1::2], strict=True))
        return labels
