"""`serve-app router`: train the learned router on labelled examples, and see what it is worth."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from serve_app.cli import options
from serve_app.cli.failure import USAGE, Failure
from serve_app.config.paths import data_dir
from serve_app.core.errors import PolicyRejected

if TYPE_CHECKING:
    from serve_app.routing.learned.evaluation import Evaluation
    from serve_app.routing.learned.labels import Labels
    from serve_app.routing.learned.model import Model

# NumPy and the router are imported by the commands that need them: other commands start sooner.

router = typer.Typer(
    name="router",
    help="The learned router: train it on labelled examples, see what it is worth.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

LabelsFile = Annotated[
    Path,
    typer.Argument(
        help="An example a line: prompt, weak_correct, strong_correct and perhaps source; "
        "plain or gzipped.",
    ),
]
ModelFile = Annotated[
    Path | None,
    typer.Option(help="The trained router. Default: router.npz in the data folder, if it is."),
]


@router.command()
def train(
    labels: LabelsFile,
    out: Annotated[
        Path | None, typer.Option(help="Default: router.npz in the data folder.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Which examples are held back together.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Train a router that learns when only the strong model will do.

    Every example is also judged once by a model trained without it; the figures
    shown are of those. Name the file in the policy as routing.learned.file.

    \b
    Examples:
      serve-app router train labelled.jsonl
      serve-app router train labelled.jsonl.gz --out router.npz --seed 1
    """
    from serve_app.routing.learned.evaluation import evaluate
    from serve_app.routing.learned.file import save

    read = _labels(labels)
    model = _trained(read, labels, seed)
    target = out or _default_model()
    try:
        save(model, target)
    except OSError as error:
        raise Failure(f"{target}: cannot be written: {error.strerror}") from error
    evaluation = evaluate(read, model)
    if as_json:
        about = msgspec.to_builtins(model.about)
        print(json.dumps({"file": str(target), **about, "evaluation": _as_json(evaluation)}))
        return
    _show(evaluation, pictured=False)
    print(f"\nSaved as {target}\nTo use it, in the policy:  routing.learned.file: {target}")


@router.command("eval")
def evaluate_(
    labels: LabelsFile,
    model: ModelFile = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the curves into this file.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what the rule and the learned router are worth, by share of strong calls.

    "random" sends that share at random, the oracle knows the labels; an area
    says how much of what lies between the two a router wins, from 0 to 1.
    Examples that the router was trained on are judged by models that had not
    seen them.

    \b
    Examples:
      serve-app router eval labelled.jsonl
      serve-app router eval labelled.jsonl --model router.npz --svg curve.svg
      serve-app router eval labelled.jsonl --json
    """
    from serve_app.routing.learned.evaluation import evaluate

    read, (stored, path) = _labels(labels), _model(model)
    evaluation = evaluate(read, stored)
    if svg is not None:
        _draw(evaluation, svg)
    if as_json:
        print(json.dumps({**_as_json(evaluation), "model": None if path is None else str(path)}))
        return
    print(f"The rule, and {path}" if path else "The rule; no learned router is there (--model)")
    _show(evaluation, pictured=True)


def _labels(path: Path) -> Labels:
    from serve_app.routing.learned.labels import LabelsRejected, read_labels

    try:
        return read_labels(path)
    except LabelsRejected as error:
        raise Failure(str(error), USAGE) from None


def _trained(labels: Labels, path: Path, seed: int) -> Model:
    from serve_app.routing.learned.labels import LabelsRejected
    from serve_app.routing.learned.training import STEPS, train

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"Training on {len(labels.examples)} examples", total=STEPS)
        try:
            today = datetime.now(UTC).date()
            return train(labels, today, seed, lambda: progress.advance(task))
        except LabelsRejected as error:
            raise Failure(f"{path}: {error}", USAGE) from None


def _model(chosen: Path | None) -> tuple[Model | None, Path | None]:
    """The model that is meant and where it is; none if none is named and none there."""
    from serve_app.routing.learned.file import load

    path = chosen or _default_model()
    if chosen is None and not path.exists():
        return None, None
    try:
        return load(path).model, path
    except PolicyRejected as error:
        raise Failure(str(error), USAGE) from None


def _default_model() -> Path:
    return data_dir(os.environ) / "router.npz"


def _draw(evaluation: Evaluation, path: Path) -> None:
    from serve_app.cli.router_picture import svg

    try:
        path.write_text(svg(evaluation), encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path}: cannot be written: {error.strerror}") from error


def _show(evaluation: Evaluation, *, pictured: bool) -> None:
    from serve_app.cli.router_report import show

    show(evaluation, Console(), pictured=pictured)


def _as_json(evaluation: Evaluation) -> dict[str, Any]:
    from serve_app.cli.router_report import as_json

    return as_json(evaluation)
