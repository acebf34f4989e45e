"""Killed at random moments, a batch loses no row and does none twice, and its output is the one
that nobody disturbed. 2,000 rows: `python -m benchmarks.batch_kill`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import psutil
import pytest
from batch_world import numbered, write_jsonl
from provider.fixtures import ScriptedProvider

from benchmarks.batch_kill import MODEL, Program, compare, disturbed
from serve_app.batch.leftovers import MARKER

ROWS = 240
KILLS = 2
"""The program alone, and it with everything that it started."""


def expected(rows: int) -> bytes:
    """What the provider's answers make of the rows."""
    return b"".join(
        b'{"id":%d,"text":"line %d","response":"You said: Say line %d","finish_reason":"stop",'
        b'"error":null}\n' % (n, n, n)
        for n in range(rows)
    )


def of_batches() -> list[psutil.Process]:
    """Processes that were started for a batch and live."""
    found = []
    for process in psutil.process_iter():
        try:
            if MARKER in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.graph
@pytest.mark.timeout(400)
def test_a_killed_batch_goes_on_where_it_was(tmp_path: Path, provider: ScriptedProvider) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    given = write_jsonl(tmp_path / "in.jsonl", numbered(ROWS))
    program = Program(given, tmp_path / "out.jsonl", provider.base_url)
    runs = disturbed(program, ROWS, KILLS, random.Random(seed))
    found = compare(expected(ROWS), program.output, ROWS)
    assert (found.rows, found.duplicates, found.missing) == (ROWS, 0, 0), seed
    assert found.identical, seed
    for run in runs[1:]:  # what was on disk when it was killed stayed there
        assert run.rows_before > 0, (seed, runs)
    asked = len(provider.log(MODEL))
    assert asked < 2 * ROWS, (seed, runs)
    _, left = psutil.wait_procs(of_batches(), timeout=30)
    assert not left, seed
