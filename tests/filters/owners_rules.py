"""Functions as an owner of a policy writes them, good and bad."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

RELEASE = threading.Event()


def tickets(text: str) -> Iterator[tuple[int, int]]:
    return (match.span() for match in re.finditer(r"\bT-[0-9]{1,6}\b", text))


def overlapping(text: str) -> list[list[int]]:
    return [[2, 4], [0, 3], [0, 2], [4, 5]] if len(text) >= 5 else []


def nothing(text: str) -> list[tuple[int, int]]:
    return []


def raising(text: str) -> list[tuple[int, int]]:
    raise ValueError(f"cannot read {text!r}")


def leaving(text: str) -> list[tuple[int, int]]:
    raise SystemExit(text)


def endless(text: str) -> Iterator[tuple[int, int]]:
    while True:
        yield 0, 1


def waiting(text: str) -> list[tuple[int, int]]:
    RELEASE.wait(30)
    return []


def as_given(text: str) -> object:
    return {
        "none": None,
        "texts": ["ab"],
        "triples": [(0, 1, 2)],
        "floats": [(0.0, 1.0)],
        "backwards": [(3, 1)],
        "empty": [(1, 1)],
        "negative": [(-2, 1)],
        "beyond": [(0, 99)],
        "long": [(0, 4)],
    }[text]


async def coroutine(text: str) -> list[tuple[int, int]]:
    return []


class Holder:
    @staticmethod
    def nothing(text: str) -> list[tuple[int, int]]:
        return []


NOT_CALLABLE = 3
