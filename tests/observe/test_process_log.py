"""What a process itself says: lines of JSON, no secrets, no floods."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from serve_app.compose.logs import adjust_log, begin_log
from serve_app.config.log_policy import LogPolicy
from serve_app.observe.process_log import LOGGERS, Lines
from serve_app.observe.repeats import Repeats

KEY = "sk-ant-api03-" + "a1B2c3D4e5F6g7H8i9J0" * 3


class Book:
    """A logger of its own, and the lines that it wrote."""

    def __init__(self, redact: Callable[[str], str] = str, **policy: Any) -> None:
        self._written: list[bytes] = []
        self.handler = Lines(LogPolicy(**policy), redact, self._written.append)
        self.logger = logging.Logger("serve_app.somewhere")  # noqa: LOG001 - in no tree
        self.logger.addHandler(self.handler)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._written]

    def fail(self, times: int, created: float) -> None:
        """One place that says the same again and again, at a time."""
        for number in range(times):
            record = self.logger.makeRecord(
                self.logger.name, logging.ERROR, "f.py", 7, "no %s %d", ("Redis", number), None
            )
            record.created = created
            self.logger.handle(record)


def test_a_record_is_one_line_of_json() -> None:
    book = Book()
    book.logger.warning("breaker of %r is\nopen", "p/m")
    [line] = book.lines()
    assert (line["event"], line["level"], line["logger"]) == (
        "log", "warning", "serve_app.somewhere",
    )  # fmt: skip
    assert line["message"] == "breaker of 'p/m' is\nopen"
    assert line["time"].endswith("Z")


def test_a_traceback_is_in_the_line() -> None:
    book = Book()
    try:
        raise ValueError("what went wrong")
    except ValueError:
        book.logger.exception("a stage failed")
    [line] = book.lines()
    assert "Traceback" in line["traceback"]
    assert "what went wrong" in line["traceback"]


def test_an_outage_does_not_write_a_line_for_each_request() -> None:
    book = Book(repeats=3)
    book.fail(1000, created=100.0)
    assert [line["message"] for line in book.lines()] == [f"no Redis {n}" for n in range(3)]
    book.logger.warning("another place is heard")
    told = [line for line in book.lines() if "left_out" in line]
    assert [(line["left_out"], line["place"]) for line in told] == [
        (997, "serve_app.somewhere:7")
    ]  # fmt: skip


def test_what_is_left_out_is_told_at_the_end_too() -> None:
    book = Book(repeats=3)
    book.fail(5, created=100.0)
    book.handler.close()
    assert book.lines()[-1]["left_out"] == 2
    book.handler.close()
    assert len(book.lines()) == 4


def test_the_level_and_the_number_can_change() -> None:
    book = Book(process="error", repeats=1)
    book.logger.warning("too little")
    assert not book.lines()
    book.handler.reconfigure(LogPolicy(process="debug", repeats=5))
    book.logger.debug("enough")
    book.fail(9, created=100.0)
    assert len(book.lines()) == 1 + 5


def test_places_are_counted_each_for_itself() -> None:
    counts = Repeats(2)
    assert counts.told(0.0) == []
    assert [counts.may("a", 0.0) for _ in range(3)] == [True, True, False]
    assert counts.may("b", 0.0)
    assert counts.told(59.0) == []
    assert counts.told(60.0) == [("a", 1)]
    assert counts.may("a", 60.0)


@pytest.fixture
def untouched() -> Iterator[None]:
    """The process's log is put back as it was."""
    before = {name: (logging.getLogger(name).propagate, logging.getLogger(name).level)
              for name in LOGGERS}  # fmt: skip
    yield
    for name, (propagate, level) in before.items():
        logger = logging.getLogger(name)
        logger.propagate = propagate
        logger.setLevel(level)
        for handler in [*logger.handlers]:
            if isinstance(handler, Lines):
                logger.removeHandler(handler)


@pytest.mark.usefixtures("untouched")
def test_a_process_writes_lines_without_secrets() -> None:
    begin_log()
    begin_log()
    ours = logging.getLogger("serve_app")
    assert len([one for one in ours.handlers if isinstance(one, Lines)]) == 1
    [handler] = [one for one in ours.handlers if isinstance(one, Lines)]
    written: list[bytes] = []
    handler._write = written.append
    logging.getLogger("serve_app.room").info("too little")
    adjust_log(LogPolicy(process="info"))
    logging.getLogger("serve_app.room").info("the key %s was refused", KEY)
    try:
        raise RuntimeError(f"Authorization: Bearer {KEY}")
    except RuntimeError:
        logging.getLogger("asyncio").exception("a task failed")
    first, second = (json.loads(line) for line in written)
    assert first["message"] == "the key [SECRET] was refused"
    assert "[SECRET]" in second["traceback"]
    assert KEY not in b"".join(written).decode()
