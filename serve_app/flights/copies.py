"""Chunks of one's own: each reader's output filter rewrites them in place."""

from __future__ import annotations

from serve_app.core.types import Chunk, ChunkChoice


def copied(batch: list[Chunk]) -> list[Chunk]:
    """The same chunks, as deep as they are ever rewritten: chunk, choice, delta. 0.4 us each."""
    return [_copied(chunk) for chunk in batch]


def _copied(chunk: Chunk) -> Chunk:
    copy: Chunk = chunk.__copy__()  # type: ignore[attr-defined]  # not in msgspec's stubs
    if copy.choices:
        copy.choices = [_copied_choice(choice) for choice in copy.choices]
    return copy


def _copied_choice(choice: ChunkChoice) -> ChunkChoice:
    copy: ChunkChoice = choice.__copy__()  # type: ignore[attr-defined]  # the same
    copy.delta = copy.delta.__copy__()  # type: ignore[attr-defined]  # the same
    return copy
