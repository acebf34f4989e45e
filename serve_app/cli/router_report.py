"""What `serve-app router` found, in words: a table for people, JSON for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from serve_app.cli.router_picture import picture
from serve_app.routing.learned.curve import Curve
from serve_app.routing.learned.evaluation import Evaluation, Trial

_TABLE_SHARES = [tenth / 10 for tenth in range(11)]
_SHARES = [percent / 100 for percent in range(101)]
"""Points of the curves in JSON."""


def show(evaluation: Evaluation, console: Console, *, pictured: bool) -> None:
    """Print what was found."""
    if note := held_back_note(evaluation):
        console.print(note, style="bold yellow", highlight=False, soft_wrap=True)
    console.print(
        f"{evaluation.examples} examples: the weak model is right in "
        f"{evaluation.weak_accuracy:.1%}, the strong one in {evaluation.strong_accuracy:.1%}",
        highlight=False,
    )
    if pictured:
        console.print(picture(evaluation), markup=False, highlight=False, soft_wrap=True)
    console.print(_table(evaluation))
    console.print(_verdict(evaluation), highlight=False, soft_wrap=True)


def held_back_note(evaluation: Evaluation) -> str:
    """What is to know about examples that the model was trained on; empty if there are none."""
    known, all_ = evaluation.trained_on, evaluation.examples
    if not known:
        return ""
    which = "THESE ARE THE EXAMPLES" if known == all_ else f"{known} OF THESE {all_} ARE EXAMPLES"
    return (
        f"{which} THE ROUTER WAS TRAINED ON. Those are judged by the models of its "
        "cross-validation, each of which had not seen them; fresh examples tell more."
    )


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The same for programs; `points` and `area` are the learned router's if there is one."""
    learned = evaluation.learned
    return {
        "examples": evaluation.examples,
        "trained_on": evaluation.trained_on,
        "weak_accuracy": evaluation.weak_accuracy,
        "strong_accuracy": evaluation.strong_accuracy,
        "router": "rule" if learned is None else "learned",
        **_trial(evaluation.chosen),
        "rule": _trial(evaluation.rule),
        "learned": None if learned is None else _trial(learned),
        "random": {"points": _points(evaluation.random)},
        "oracle": {"points": _points(evaluation.oracle)},
        "not_above_rule": evaluation.not_above_rule(_SHARES[1:-1]),
    }


def _trial(trial: Trial) -> dict[str, Any]:
    return {"points": _points(trial.curve), "area": trial.area}


def _points(curve: Curve) -> list[dict[str, float]]:
    return [{"strong_share": share, "accuracy": curve.accuracy(share)} for share in _SHARES]


def _table(evaluation: Evaluation) -> Table:
    curves = {"random": evaluation.random, "rule": evaluation.rule.curve}
    if evaluation.learned is not None:
        curves["learned"] = evaluation.learned.curve
    curves["oracle"] = evaluation.oracle
    table = Table("strong share", *curves, box=None, padding=(0, 2))
    for column in table.columns:
        column.justify = "right"
    for share in _TABLE_SHARES:
        table.add_row(f"{share:.0%}", *(f"{c.accuracy(share):.1%}" for c in curves.values()))
    learned = [f"{evaluation.learned.area:.3f}"] if evaluation.learned else []
    table.add_row("area", "0", f"{evaluation.rule.area:.3f}", *learned, "1", style="bold")
    return table


def _verdict(evaluation: Evaluation) -> str:
    if evaluation.learned is None:
        return "No learned router: serve-app router train makes one"
    worse = evaluation.not_above_rule(_SHARES[1:-1])
    if not worse:
        return "The learned router is above the rule at every share from 1% to 99%"
    shares = ", ".join(f"{share:.0%}" for share in worse)
    return f"The learned router is not above the rule at {len(worse)} of 99 shares: {shares}"
