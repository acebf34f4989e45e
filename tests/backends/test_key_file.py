"""A file of keys: read again when it changes, harmless when it is gone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from backend_calls import ANSWER, MakeHosted, fail, run, text_of
from key_ring import Ring, refused, write

from serve_app.backends.refusal import AUTH
from serve_app.core.clock import FakeClock


def test_a_file_has_a_key_a_line_and_comments(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "# ours", "sk-1 # first", "", "  sk-2  ", "sk-1")
    assert Ring("A", file=file).taken(4) == ["sk-a", "sk-1", "sk-2", "sk-a"]


def test_a_file_that_changed_is_read_again_within_a_second(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "sk-1")
    ring = Ring(file=file)
    assert ring.take() == "sk-1"
    write(file, "sk-2")
    assert ring.take() == "sk-1"
    ring.clock.advance(1.0)
    assert ring.take() == "sk-2"


def test_a_changed_key_is_used_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "sk-1", "sk-2")
    ring = Ring(file=file)
    ring.judge(refused())
    ring.judge(refused())
    write(file, "sk-1", "sk-new")
    ring.clock.advance(1.0)
    assert ring.taken(2) == ["sk-new", "sk-new"]


def test_a_file_that_vanished_leaves_its_keys_and_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "sk-1")
    ring = Ring(file=file)
    file.unlink()
    ring.clock.advance(1.0)
    assert ring.take() == "sk-1"
    assert "cannot be read: No such file" in ring.keys.trouble()
    write(file, "sk-2")
    ring.clock.advance(1.0)
    assert ring.take() == "sk-2"
    assert ring.keys.trouble() == ""


def test_an_emptied_file_leaves_its_keys_and_says_so(tmp_path: Path) -> None:
    file = write(tmp_path / "keys", "sk-1")
    ring = Ring(file=file)
    write(file, "# none")
    for _ in range(3):
        ring.clock.advance(1.0)
        assert ring.take() == "sk-1"
        assert ring.keys.trouble() == "the key file holds no key"


def test_a_file_that_was_never_there_leaves_the_backend_without_keys(tmp_path: Path) -> None:
    ring = Ring(file=tmp_path / "keys")
    assert (ring.none_left().kind, ring.none_left().code) == ("candidate", AUTH)
    assert ring.keys.are_refused
    write(tmp_path / "keys", "sk-1")
    ring.clock.advance(1.0)
    assert ring.take() == "sk-1"


def test_a_line_that_no_header_may_hold_is_left_out_by_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"sk-good\nsk-b\xffd\n")
    with caplog.at_level(logging.ERROR):
        ring = Ring(file=file)
    assert ring.taken(2) == ["sk-good", "sk-good"]
    assert "line 2" in caplog.text
    assert "sk-" not in caplog.text


async def test_a_backend_is_back_once_its_key_has_changed(
    make_hosted: MakeHosted, tmp_path: Path
) -> None:
    clock = FakeClock()
    file = write(tmp_path / "keys", "sk-refused")
    backend = make_hosted(keys=(), key_file=str(file), clock=clock)
    assert (await fail(backend, "keys")).code == AUTH
    write(file, "sk-good")
    clock.advance(1.0)
    assert text_of(await run(backend, "keys")) == ANSWER
    assert (await backend.health()).ok
