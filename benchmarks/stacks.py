"""Sampled stacks to layers: whose work each sample was.

A stack is one line of collapsed form: `thread (id): name`, then frames `function
(/full/path.py:line)` from root to leaf, joined by `;`, then a space and the number of samples.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_THREAD = re.compile(r"^thread \((?P<id>\d+)\)")
_FRAME_PATH = re.compile(r"\((?P<path>.*?)(?::\d+)?\)$")
_OWN = re.compile(r"/serve_app/(?P<room>[^/]+?)(?:\.py|/.*)$")
LAYERS: tuple[tuple[str, str], ...] = (
    ("Ray Serve", r"/ray/serve/"),
    ("Ray core", r"/ray/"),
    ("uvicorn and HTTP parser", r"/(uvicorn|h11|httptools)/"),
    ("aiohttp client", r"/(aiohttp|yarl|multidict|aiosignal|frozenlist|propcache)/"),
    ("Redis client", r"/redis/"),
    ("tokenizer", r"/(transformers|tokenizers)/"),
    ("metrics", r"/(prometheus_client|opentelemetry)/"),
    ("other packages", r"/(site|dist)-packages/"),
)
_LAYERS = tuple((name, re.compile(pattern)) for name, pattern in LAYERS)
LOOP = "event loop and standard library"


def layers(lines: Iterable[str]) -> dict[int, Counter[str]]:
    """Samples per thread id and layer; own code comes out as `own: ROOM`."""
    found: dict[int, Counter[str]] = {}
    for line in lines:
        stack, _, count = line.strip().rpartition(" ")
        thread, *frames = stack.split(";")
        known = _THREAD.match(thread)
        if known and count.isdigit():
            found.setdefault(int(known["id"]), Counter())[layer(frames)] += int(count)
    return found


def layer(frames: list[str]) -> str:
    """Whose work a sample is: of the innermost frame that is not standard library.

    The standard library works for whoever called it; the event loop calls everybody, so a stack
    with nothing else in it is the loop's own.
    """
    for frame in reversed(frames):
        matched = _FRAME_PATH.search(frame)
        name = _layer_of(matched["path"]) if matched else None
        if name is not None:
            return name
    return LOOP


def _layer_of(path: str) -> str | None:
    own = _OWN.search(path)
    if own and "/site-packages/" not in path:
        return f"own: {own['room']}"
    for name, pattern in _LAYERS:
        if pattern.search(path):
            return name
    return None
