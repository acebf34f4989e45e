"""The file of a warm-up: a question a line, all checked before anything is sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from serve_app.cli.failure import USAGE, Failure
from serve_app.core.kept import MAX_TAG_CHARS, MAX_TAGS

_SHOWN: Final = 5
"""Wrong lines that are named; there may be thousands."""

_Text = Annotated[str, Meta(min_length=1)]


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    question: _Text
    answer: _Text | None = None
    model: _Text = "auto"
    system: _Text | None = None
    tags: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_TAG_CHARS)], ...],
        Meta(max_length=MAX_TAGS),
    ] = ()


class Faq(Struct, frozen=True):
    """One question of the file."""

    number: int
    """Its line, from 1."""
    line: _Line

    def body(self) -> bytes:
        """The body of `POST /v1/cache/warm`: the request as a client would send it."""
        line = self.line
        messages = [{"role": "user", "content": line.question}]
        if line.system is not None:
            messages.insert(0, {"role": "system", "content": line.system})
        request = {"model": line.model, "messages": messages}
        return json.dumps({"request": request, "answer": line.answer, "tags": line.tags}).encode()


_decode = msgspec.json.Decoder(_Line).decode


def read_faq(path: Path) -> list[Faq]:
    """All questions of a file; empty lines are skipped.

    Raises:
        Failure: the file cannot be read, or has wrong lines; they are named by number.
    """
    try:
        raw = path.read_bytes().splitlines()
    except OSError as error:
        raise Failure(f"{path}: cannot be read: {error.strerror}", USAGE) from None
    questions: list[Faq] = []
    wrong: list[str] = []
    for number, line in enumerate(raw, 1):
        if not line.strip():
            continue
        try:
            questions.append(Faq(number, _decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            wrong.append(f"line {number}: {error}")
    if wrong:
        more = f"\n  and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise Failure(f"{path}: nothing was sent\n  " + "\n  ".join(wrong[:_SHOWN]) + more, USAGE)
    if not questions:
        raise Failure(f"{path}: there is no question in it", USAGE)
    return questions
