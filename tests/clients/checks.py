"""What every client asks, and what it must get; the scripts beside it ask it their own way.

Each prints the name of a check once it has passed. The gateway's address, a key it knows and the
model's name come from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

BASE_URL = os.environ["BASE_URL"]
"""Without `/v1`."""

KEY = os.environ["GATEWAY_KEY"]
MODEL = os.environ["MODEL"]
EMBEDDING = os.environ["EMBEDDING_MODEL"]
BREAKING = os.environ["BREAKING_MODEL"]
"""Its streams break off in the middle."""
UNKNOWN = "no-such-model"

QUESTION = "hello from a client"
ANSWER = "You said: hello from a client"
WEATHER = "sunny in Paris"
TOOL_ANSWER = "The tools said: sunny in Paris"

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def user(text: str = QUESTION) -> dict[str, str]:
    return {"role": "user", "content": text}


def passed(check: str) -> None:
    print(check, flush=True)


def same(got: object, expected: object) -> None:
    """Raises `AssertionError` that shows both."""
    assert got == expected, f"got {got!r}, expected {expected!r}"


@dataclass
class Caught:
    error: Any = None


@contextmanager
def raises(kind: type[Exception]) -> Iterator[Caught]:
    """What is done in it must raise this kind of error; it is there afterwards."""
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.error = error
    else:
        raise AssertionError(f"there was no {kind.__name__}")
