"""What a crash leaves: whole parts that a later run goes on with, on the same terms only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from serve_app.batch.collector import FLUSH_S, Collector
from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.parts import Parts
from serve_app.batch.places import Place
from serve_app.batch.results import Result
from serve_app.core.clock import FakeClock

TERMS: dict[str, object] = {"model": "m", "prompt": "p"}


@pytest.fixture(params=["local", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A local disk, and one of fsspec's other file systems."""
    place = Place.at(
        str(tmp_path / "out.jsonl") if request.param == "local" else "memory://o.jsonl"
    )
    yield place
    place.beside(".parts").remove()


def opened(output: Place, rows: int = 10, part_rows: int = 4) -> Parts:
    parts = Parts(output)
    parts.open(TERMS, rows, part_rows)
    return parts


def collector(output: Place, clock: FakeClock | None = None, rows: int = 10) -> Collector:
    return Collector(opened(output, rows), rows, clock or FakeClock())


def results(*rows: int) -> list[Result]:
    return [Result(row, response=f"answer {row}") for row in rows]


def kept(output: Place) -> list[int]:
    return [result.row for part in opened(output).load() for result in part]


def test_a_part_is_stored_when_its_last_row_comes_whatever_the_order(output: Place) -> None:
    taking = collector(output)
    taking.take(results(3, 0, 9))
    assert kept(output) == []
    taking.take(results(2, 1, 8))
    assert kept(output) == [0, 1, 2, 3, 8, 9]
    assert not taking.complete
    taking.take(results(4, 5, 6, 7))
    assert taking.complete
    assert kept(output) == list(range(10))


def test_an_unfinished_part_is_stored_before_long(output: Place) -> None:
    clock = FakeClock()
    taking = collector(output, clock)
    taking.take(results(5))
    clock.advance(FLUSH_S)
    taking.take(results(7))
    assert kept(output) == [5, 7]
    taking.take(results(4))
    taking.flush()
    assert kept(output) == [4, 5, 7]


def test_a_later_run_goes_on_and_no_row_is_taken_twice(output: Place) -> None:
    first = collector(output)
    first.take([*results(0, 1, 2, 3, 6), Result(4, kind="blocked_by_policy", message="no")])
    first.flush()
    second = collector(output)
    second.restore(without_errors=False)
    assert bytes(second.done) == bytes([1, 1, 1, 1, 1, 0, 1, 0, 0, 0])
    assert (second.tally.done, second.tally.failed) == (6, 1)
    assert second.take(results(6, 5)) == results(5)
    second.take(results(7, 8, 9))
    assert second.complete
    assert kept(output) == list(range(10))


def test_rows_that_failed_can_be_done_again(output: Place) -> None:
    first = collector(output)
    first.take([Result(0, kind="timeout"), *results(1, 2, 3)])
    second = collector(output)
    second.restore(without_errors=True)
    assert (second.done[0], second.tally.failed, second.tally.done) == (0, 0, 3)
    second.take(results(0))
    assert opened(output).read(0) == results(0, 1, 2, 3)


def test_a_part_that_cannot_be_read_is_done_again(output: Place) -> None:
    collector(output).take(results(0, 1, 2, 3))
    output.beside(".parts").inside("000000000000.jsonl").write(b'{"row":0}\n{"ro')
    again = collector(output)
    again.restore(without_errors=False)
    assert again.tally.done == 0


def test_how_rows_are_cut_stays_as_it_was_begun(output: Place) -> None:
    opened(output, part_rows=4)
    assert opened(output, part_rows=7).part_rows == 4


def test_results_of_other_terms_are_not_gone_on_with(output: Place) -> None:
    opened(output)
    with pytest.raises(BatchFailed, match=r"prompt was \"p\", is \"q\".*--overwrite") as caught:
        Parts(output).open(TERMS | {"prompt": "q"}, 10, 4)
    assert caught.value.exit_code == USAGE


def test_they_go_if_they_may_be_replaced_and_those_of_the_same_terms_stay(output: Place) -> None:
    collector(output).take(results(0, 1, 2, 3))
    Parts(output).open(TERMS, 10, 4, replace=True)
    assert kept(output) == [0, 1, 2, 3]
    Parts(output).open(TERMS | {"prompt": "q"}, 10, 4, replace=True)
    with pytest.raises(BatchFailed):
        opened(output)
    Parts(output).open(TERMS, 10, 4, replace=True)
    assert kept(output) == []


def test_two_programs_do_not_work_on_one_output(tmp_path: Path) -> None:
    output = Place.at(str(tmp_path / "out.jsonl"))
    with Parts(output).held(), pytest.raises(BatchFailed, match="at this moment"):
        Parts(output).held().__enter__()
    with Parts(output).held():
        pass


def test_a_replaced_file_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    place = Place.at(str(tmp_path / "file"))
    place.write(b"old")
    place.write(b"new")
    assert place.read() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
