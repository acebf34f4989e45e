"""Lines of a file, and how they are cut into shards: whatever the pieces, nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serve_app.batches.lines import Line, lines
from serve_app.batches.plan import SHARD_TEXTS, Cutter
from serve_app.core.batch import Shard

MOST = 40
TEXT = st.binary(max_size=120).map(lambda b: b.replace(b"\0", b"\n"))


async def pieces_of(content: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(content), size):
        yield content[at : at + size]


async def read(content: bytes, size: int, **place: int) -> list[Line]:
    return [line async for line in lines(pieces_of(content, size), MOST, **place)]


@given(content=TEXT, size=st.integers(1, 50))
async def test_lines_are_those_of_the_whole_file(content: bytes, size: int) -> None:
    found = await read(content, size)
    expected = content.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [line.number for line in found] == list(range(1, len(expected) + 1))
    assert [line.text for line in found] == [
        text if len(text) <= MOST else None for text in expected
    ]
    for line, text in zip(found, expected, strict=True):
        assert content[line.start : line.end].rstrip(b"\n") == text.rstrip(b"\n")


@given(
    texts=st.lists(st.sampled_from([b"a", b"bb", b"", b" ", b"ccc\r"]), max_size=40),
    most=st.integers(1, 7),
    size=st.integers(1, 9),
)
async def test_shards_have_every_request_once_and_in_order(
    texts: list[bytes], most: int, size: int
) -> None:
    content = b"\n".join(texts)
    whole = [line for line in await read(content, size) if not line.is_empty]
    cutter = Cutter(most)
    for line in whole:
        cutter.add(line)
    plan = cutter.finish()
    again: list[Line] = []
    for shard in plan:
        part = content[shard.start : shard.end]
        found = await read(part, size, start=shard.start, number=shard.first_line)
        requests = [line for line in found if not line.is_empty]
        assert 0 < len(requests) == shard.requests <= most
        again += requests
    assert again == whole
    assert all(a.end <= b.start for a, b in pairwise(plan))


def test_a_shard_ends_where_its_texts_are_many() -> None:
    cutter = Cutter(100)
    cutter.add(Line(1, 0, 10, b"x"), texts=SHARD_TEXTS)
    cutter.add(Line(2, 10, 20, b"y"))
    assert cutter.finish() == [Shard(0, 10, 1, 1), Shard(10, 20, 2, 1)]
