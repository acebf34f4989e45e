"""`serve-app cache eval`: how much the semantic cache serves of labelled pairs, and how wrongly."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from serve_app.cli import options
from serve_app.cli.cache import cache
from serve_app.cli.failure import ENVIRONMENT, USAGE, Failure

if TYPE_CHECKING:
    from serve_app.cache.semantic.evaluation import Judged, LabelledPair

__all__ = ["cache"]

# NumPy and the model are imported by the command: other commands start sooner.

_PLAIN = (0.85, 0.90, 0.95)


@cache.command("eval")
def evaluate(
    pairs: Annotated[
        Path,
        typer.Argument(
            help="A pair a line: a, b (texts or lists of messages), same_answer, and perhaps "
            "category.",
        ),
    ],
    max_wrong: Annotated[
        float, typer.Option(min=0.0001, max=0.49, help="Largest acceptable share of wrong hits.")
    ] = 0.01,
    half: Annotated[
        int | None, typer.Option(min=0, max=1, help="Only one half, by a digest of each pair.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw served against wrong into this file.")
    ] = None,
    misses: Annotated[bool, typer.Option(help="List the pairs that went wrong.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Store one side of each pair in an empty cache and ask the other.

    "served" is the share of pairs with the same answer that get it, "wrong" the
    share of the others that get one. No gateway and no model is asked; beside it
    stands what plain thresholds on the same embedding would do.

    \b
    Examples:
      serve-app cache eval pairs.jsonl
      serve-app cache eval pairs.jsonl --max-wrong 0.02 --svg pairs.svg
      serve-app cache eval pairs.jsonl --json
    """
    from serve_app.cache.semantic.evaluation import PairsRejected, read_pairs

    try:
        read = [pair for pair in read_pairs(pairs) if half is None or pair.half == half]
    except PairsRejected as error:
        raise Failure(str(error), USAGE) from None
    judged = _judged(read, max_wrong)
    if svg is not None:
        _draw(judged, svg)
    if as_json:
        print(json.dumps(_as_json(judged)))
        return
    _show(judged, Console())
    if misses:
        _list(judged)


def _judged(pairs: Sequence[LabelledPair], max_wrong: float) -> list[Judged]:
    from serve_app.cache.semantic.base import EmbedderUnavailable
    from serve_app.cache.semantic.evaluation import Evaluator
    from serve_app.cache.semantic.minilm import minilm
    from serve_app.config.policy import SemanticPolicy

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)

    async def run() -> list[Judged]:
        embedder = minilm()
        try:
            with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
                task = progress.add_task("Asking", total=len(pairs))
                policy = SemanticPolicy(max_wrong=max_wrong)
                evaluator = Evaluator(policy, embedder)
                return await evaluator.judge_all(pairs, lambda: progress.advance(task))
        finally:
            await embedder.close()

    try:
        return asyncio.run(run())
    except EmbedderUnavailable as error:
        raise Failure(f"The embedder does not work: {error}", ENVIRONMENT) from None


def _as_json(judged: Sequence[Judged]) -> dict[str, Any]:
    from serve_app.cache.semantic.evaluation import THRESHOLDS, at_threshold, by_category, shares

    found = shares(judged)
    return {
        "served": found.served,
        "wrong": found.wrong,
        "by_category": {kind: share for kind, (_, _, share) in by_category(judged).items()},
        "pairs": {
            kind: {"same_answer": should, "count": count}
            for kind, (should, count, _) in by_category(judged).items()
        },
        "thresholds": [
            {
                "threshold": threshold,
                "guarded": guarded,
                **at_threshold(judged, threshold, guarded=guarded)._asdict(),
            }
            for guarded in (False, True)
            for threshold in THRESHOLDS
        ],
    }


def _show(judged: Sequence[Judged], console: Console) -> None:
    from serve_app.cache.semantic.evaluation import at_threshold, by_category, shares

    table = Table("category", "pairs", "should be served", "served", box=None, padding=(0, 2))
    for kind, (should, count, share) in by_category(judged).items():
        table.add_row(kind, str(count), "yes" if should else "no (a trap)", f"{share:.1%}")
    console.print(table)
    ways = Table("", "served", "wrong", box=None, padding=(0, 2))
    found = shares(judged)
    ways.add_row("this cache", f"{found.served:.1%}", f"{found.wrong:.1%}", style="bold")
    for guarded in (True, False):
        for threshold in _PLAIN:
            plain = at_threshold(judged, threshold, guarded=guarded)
            name = f"threshold {threshold:.2f}{' and the guards' if guarded else ''}"
            ways.add_row(name, f"{plain.served:.1%}", f"{plain.wrong:.1%}")
    console.print(ways)


def _list(judged: Sequence[Judged]) -> None:
    for one in judged:
        if one.served != one.pair.same_answer:
            what = "wrongly served" if one.served else f"not served ({one.why or one.score})"
            print(f"{what}: {one.pair.a!r} / {one.pair.b!r}")


def _draw(judged: Sequence[Judged], path: Path) -> None:
    from serve_app.cli.cache_picture import svg

    try:
        path.write_text(svg(judged), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {os.strerror(error.errno or 0)}") from error
