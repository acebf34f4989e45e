from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from serve_app.core.types import ContentPart, FunctionCall, Message, ToolCall
from serve_app.sessions.tokens import HeuristicCounter, TokenizerCounter, counters

ESTIMATE = 1_000_000
"""What the tests' estimate says of every text: no real count comes near."""
FRAME = 5


def estimate(text: str) -> int:
    return ESTIMATE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer that knows words, and whose own limit would cut every count at two."""
    tokenizer = Tokenizer(models.WordLevel({"hello": 0, "world": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(2)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


async def test_a_loaded_tokenizer_counts_exactly(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    assert counter.count(Message("user", "hello world hello")) == 3 + FRAME


async def test_until_it_is_loaded_it_estimates(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    message = Message("user", "hello world")
    await counter.warm([message])
    assert counter.count(message) == ESTIMATE + FRAME
    assert await counter.loaded()
    assert counter.count(message) == 2 + FRAME


async def test_a_long_text_is_counted_ahead_in_a_thread(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    long = Message("user", "hello " * 1000)
    assert counter.count(long) == ESTIMATE + FRAME
    await counter.warm([long])
    assert counter.count(long) == 1000 + FRAME


async def test_many_short_texts_are_counted_ahead_too(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    await counter.warm([Message("user", f"hello {i}") for i in range(200)])
    assert len(counter._counts) == 200


async def test_one_request_cannot_make_it_read_a_book(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    book, letter = Message("user", "hello " * 100_000), Message("user", "hello " * 1000)
    await counter.warm([book, letter])
    assert counter.count(book) == ESTIMATE + FRAME
    assert counter.count(letter) == 1000 + FRAME


@pytest.mark.parametrize("content", [None, "{ not json"])
async def test_without_a_tokenizer_it_says_so_once_and_estimates(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    counter = TokenizerCounter(tmp_path, estimate)
    assert not await counter.loaded()
    await counter.warm([Message("user", "hello")])
    assert counter.count(Message("user", "hello")) == ESTIMATE + FRAME
    assert len(caplog.records) == 1
    assert str(tmp_path) in caplog.text


async def test_it_remembers_counts_but_not_for_ever(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    for i in range(9000):
        counter.count(Message("user", str(i)))
    assert len(counter._counts) == 8192


async def test_everything_the_model_reads_is_counted(folder: Path) -> None:
    counter = TokenizerCounter(folder, estimate)
    assert await counter.loaded()
    call = ToolCall("c", "function", FunctionCall("world", "hello hello"))
    parts = [ContentPart("text", "hello"), ContentPart("text", "world")]
    assert counter.count(Message("assistant", parts, tool_calls=[call])) == 5 + FRAME
    picture = Message("user", [ContentPart("image_url")])
    assert counter.count(picture) > 100


def test_an_estimate_is_an_estimate() -> None:
    assert HeuristicCounter(len).count(Message("user", "hello")) == 5 + FRAME


async def test_each_backend_has_a_counter_of_its_own(folder: Path) -> None:
    made = counters({"local": folder}, estimate)
    assert list(made) == ["local"]
