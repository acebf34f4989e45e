"""`serve-app cache`: purge stored answers, see what is asked often, warm up with a FAQ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from serve_app.cli import options
from serve_app.cli.chat import address
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.faq import Faq, read_faq
from serve_app.cli.gateway import Gateway, Refused

cache = typer.Typer(
    name="cache",
    help="The answer cache of a running gateway: purge, see what is asked often, warm up.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Tenant = Annotated[
    str | None,
    typer.Option(help="Default: the one of your key. Another one needs an admin key."),
]


@cache.command()
def purge(
    tenant: Tenant = None,
    model: Annotated[
        str | None, typer.Option(help="That answered: MODEL or BACKEND/MODEL.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="As given when the answer was stored.")] = None,
    fingerprint: Annotated[
        str | None, typer.Option(help="As in the header x-serve-app-fingerprint.")
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Of every tenant. Without further terms: everything.")
    ] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove stored answers from every replica; those that match all that is given.

    \b
    Examples:
      serve-app cache purge --tag faq
      serve-app cache purge --model gpt-4o-mini --tenant acme
      serve-app cache purge --all
    """
    terms = {"tenant": tenant, "model": model, "tag": tag, "fingerprint": fingerprint}
    named = {name: value for name, value in terms.items() if value}
    if not named and not everywhere:
        ways = "--tenant, --model, --tag, --fingerprint or --all"
        raise Failure(f"Say which answers are to go: {ways}", USAGE)
    if everywhere:
        named["all"] = "true"
    said = Gateway(address(url)).must("DELETE", f"/v1/cache?{urlencode(named)}")
    print(json.dumps(said) if as_json else f"{said['entries']} answers removed from every replica")


@cache.command()
def top(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    tenant: Tenant = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the questions that were asked most in the last day or so.

    \b
    Examples:
      serve-app cache top
      serve-app cache top --limit 100 --json
    """
    named: dict[str, Any] = {"limit": limit} | ({"tenant": tenant} if tenant else {})
    said = Gateway(address(url)).must("GET", f"/v1/cache/top?{urlencode(named)}")
    if as_json:
        print(json.dumps(said["data"], ensure_ascii=False))
    else:
        Console().print(_table(said["data"]) if said["data"] else "Nothing was asked yet.")


@cache.command()
def warm(
    faq: Annotated[
        Path,
        typer.Argument(
            help='A question a line, as JSON: {"question", "answer", "model", "system", "tags"}; '
            "all but the question may be left out."
        ),
    ],
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Questions at once.")] = 4,
    timeout: Annotated[
        float, typer.Option(min=1, help="Longest wait for one, in seconds.")
    ] = 120.0,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Store answers that never expire, before anybody asks.

    A question without an answer is asked now. A second run changes nothing: what is there stays.

    \b
    Examples:
      serve-app cache warm faq.jsonl
      serve-app cache warm faq.jsonl --concurrency 16 --json
    """
    lines = read_faq(faq)
    outcome = Outcome(_warmed(Gateway(address(url), timeout), lines, concurrency))
    print(json.dumps(outcome.as_json()) if as_json else outcome)
    if outcome.failed:
        raise SystemExit(1)


class Outcome:
    """What became of each line.

    Args:
        said: line number, and `stored`, `present` or why not.
    """

    def __init__(self, said: Iterable[tuple[int, str]]) -> None:
        self.stored = self.present = 0
        self.failed: list[tuple[int, str]] = []
        for number, word in said:
            if word == "stored":
                self.stored += 1
            elif word == "present":
                self.present += 1
            else:
                self.failed.append((number, word))

    def as_json(self) -> dict[str, Any]:
        failed = [{"line": number, "error": why} for number, why in self.failed]
        return {"stored": self.stored, "present": self.present, "failed": failed}

    def __str__(self) -> str:
        counts = f"{self.stored} stored, {self.present} already there, {len(self.failed)} failed"
        return "\n".join([counts, *(f"  line {number}: {why}" for number, why in self.failed)])


def _warmed(gateway: Gateway, lines: list[Faq], concurrency: int) -> Iterator[tuple[int, str]]:
    """Send all lines, some at once; the outcomes in their order."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    pool = ThreadPoolExecutor(concurrency)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Warming up", total=len(lines))
        try:
            words = pool.map(partial(_warm_one, gateway), lines)
            for line, word in zip(lines, words, strict=True):
                progress.advance(task)
                yield line.number, word
        finally:  # after Ctrl-C: what was not sent yet is not
            pool.shutdown(cancel_futures=True)


def _warm_one(gateway: Gateway, line: Faq) -> str:
    try:
        return str(gateway.ask("POST", "/v1/cache/warm", line.body())["status"])
    except Refused as error:
        return str(error)


def _table(hot: list[dict[str, Any]]) -> Table:
    table = Table("asked", "hits", "question", "fingerprint", box=None, pad_edge=False)
    for item in hot:
        shown = _shown(str(item["text"]))
        table.add_row(str(item["asked"]), str(item["hits"]), shown, str(item["fingerprint"])[:12])
    return table


def _shown(text: str) -> str:
    """A caller's text as one harmless line of a terminal."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return escape(" ".join(printable.split()))
