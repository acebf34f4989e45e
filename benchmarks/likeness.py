"""What a lookup by likeness takes, and of what: `python -m benchmarks.likeness`.

The real embedder, judge and bound; questions in one partition, of random vectors so that a hundred
thousand of them are there in seconds. Among them are real ones, which are found again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from random import Random
from statistics import median, quantiles

import numpy as np
from rich.console import Console
from rich.table import Table

from serve_app.cache.semantic.judge import PairJudge
from serve_app.cache.semantic.level import SemanticLevel
from serve_app.cache.semantic.minilm import minilm
from serve_app.cache.semantic.records import Added
from serve_app.config.policy import SemanticPolicy
from serve_app.config.structure import SemanticStructure
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Entry, Fill, Question

PAIRS = Path(__file__).resolve().parents[1] / "tests" / "data" / "semantic_pairs.jsonl"
LOOKUPS = 400


async def measure(questions: int, index: str) -> dict[str, float]:
    """Milliseconds of a lookup and its parts, and bytes of a question."""
    clock = SystemClock()
    structure = SemanticStructure.model_validate(
        {"index": index, "max_questions": questions + 1000, "bytes": 4 << 30}
    )
    policy = SemanticPolicy(enabled=True, verify_share=0.0)
    level = SemanticLevel(policy, structure, None, minilm(), PairJudge(), clock, Random(1))
    rows = np.random.default_rng(1).standard_normal((questions, 384)).astype(np.float16)
    ends = clock.wall() + 3600
    room = level.room("t", "p")
    room.partition.apply(
        (
            Added(f"f{number}", f"question number {number}", (row / 19.6).tobytes(), ends)
            for number, row in enumerate(rows)
        ),
        clock.wall(),
    )
    pairs = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    entry = Entry(False, b"{}", "b", "m", 1, 1, 1, clock.wall(), ends)
    for pair in pairs:
        await level.add("t", Fill(pair["id"], entry, "t", question=Question("p", pair["a"], 3600)))
    whole, hits = [], 0
    for number in range(LOOKUPS):
        began = time.perf_counter()
        found = await level.lookup("t", Question("p", pairs[number % len(pairs)]["b"]))
        whole.append((time.perf_counter() - began) * 1e3)
        hits += found is not None
    parts = {name: median(times) / 1e3 for name, times in level.timings().items() if times}
    size = level.nbytes / level.questions
    await level.close()
    return {
        "p50": median(whole),
        "p95": quantiles(whole, n=20)[-1],
        **parts,
        "hits": hits / LOOKUPS,
        "bytes": size,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    sizes = [(1_000, "exact"), (10_000, "exact"), (100_000, "exact"), (100_000, "ann")]
    found = {f"{size:,} {index}": asyncio.run(measure(size, index)) for size, index in sizes}
    if asked.json:
        print(json.dumps(found))
        return
    names = ("p50", "p95", "embed", "search", "judge", "hits", "bytes")
    table = Table("questions", *names, box=None, padding=(0, 2))
    for name, figures in found.items():
        table.add_row(name, *(f"{figures[key]:,.2f}" for key in names))
    Console().print(table)
    Console().print("p50 to judge: milliseconds; bytes: of memory, a question")


if __name__ == "__main__":
    main()
