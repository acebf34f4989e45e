"""The command line of the program, and the order that it means."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from serve_app.batch.failure import USAGE, BatchFailed
from serve_app.batch.order import Order, errors_of
from serve_app.core.money import usd

URL_ENV: Final = "SERVE_APP_URL"
KEY_ENV: Final = "SERVE_APP_API_KEY"
DEFAULT_URL: Final = "http://127.0.0.1:8000"

EXAMPLES: Final = """\
examples:
  python -m serve_app.batch run reviews.csv -o sentiment.csv \\
      --prompt 'Is this review positive or negative? {text}' --max-tokens 5
  python -m serve_app.batch run 's3://bucket/in/*.parquet' -o s3://bucket/out.parquet \\
      --prompt 'Summarise: {body}' --model smart --budget 20 --max-errors 1%
  python -m serve_app.batch run chats.jsonl -o answers.jsonl --messages-column messages
  python -m serve_app.batch run docs.jsonl -o out.jsonl --prompt '{text}' \\
      --via vllm --model embedded --max-tokens 64
  ray job submit -- python -m serve_app.batch run in.jsonl -o /data/out.jsonl --prompt '{q}'

Killed, stopped or interrupted: run the same command again, and it goes on where it was.

exit codes:
  0  every row has its result (rows that failed have their error)
  1  the machine, the cluster or a file is not fit
  2  the command or the input is wrong
  3  stopped early: a cap, or a gateway that takes no more; the same command goes on
  130  interrupted; the same command goes on
"""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m serve_app.batch",
        description="Answer every row of a file with a model, on Ray Data.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="run")
    run = commands.add_parser(
        "run",
        help="answer the rows of INPUT into OUTPUT",
        description="Answer the rows of INPUT into OUTPUT.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_to(run)
    return top


def add_to(run: argparse.ArgumentParser) -> None:
    """Add everything that a batch can be told."""
    _add_what(run)
    _add_way(run)
    _add_caps(run)
    _add_shown(run)


def _add_what(run: argparse.ArgumentParser) -> None:
    add = run.add_argument_group("what is asked").add_argument
    add("input", metavar="INPUT", help="JSONL, CSV or Parquet: a path, an fsspec address such as "
        "s3://..., a folder, or a pattern")  # fmt: skip
    add("-o", "--output", required=True, metavar="OUTPUT", help="ends in .jsonl, .csv or .parquet")
    add("--prompt", help="template over the columns: 'Summarise: {text}'; a column `prompt` or "
        "`messages` is taken unasked")  # fmt: skip
    add("--messages-column", metavar="NAME", help="column with chat messages, a list or its JSON")
    add("--system", metavar="TEXT", help="system message, a template as well")
    add("--model", default="auto", help="`auto`, an alias or a model of the gateway; with --via "
        "vllm a folder, a hub name, or `embedded`")  # fmt: skip
    add("--temperature", type=float, default=0.0, help="default: 0")
    add("--max-tokens", type=_positive, metavar="N", help="longest answer")
    add("--param", action="append", default=[], metavar="NAME=VALUE",
        help="another field of the request, its value as JSON or text; several")  # fmt: skip
    add("--prefix", default="", help="before the added columns response, finish_reason, error")
    add("--limit", type=_positive, metavar="N", help="only the first N rows")


def _add_way(run: argparse.ArgumentParser) -> None:
    add = run.add_argument_group("how").add_argument
    add("--via", choices=("graph", "vllm"), default="graph", help="through the running gateway "
        "(cache, filters, fallback and limits apply), or straight on vLLM engines")  # fmt: skip
    add("--url", help=f"of the gateway; default: {URL_ENV}, or {DEFAULT_URL}")
    add("--concurrency", type=_positive, metavar="N", help="requests at once; default: 32, with "
        "--via vllm 256 per engine")  # fmt: skip
    add("--timeout", type=_seconds, default=600.0, metavar="S", help="of one request; default 600")
    add("--patience", type=_seconds, default=600.0, metavar="S", help="how long a row is tried "
        "while the gateway is busy or away; default: 600")  # fmt: skip
    add("--engines", type=_positive, default=1, metavar="N", help="vLLM engines side by side")
    add("--device", choices=("auto", "cpu", "gpu"), default="auto", help="of vLLM engines")
    add("--engine", action="append", default=[], metavar="NAME=VALUE",
        help="an argument of vLLM's engine, its value as JSON or text; several")  # fmt: skip
    add("--ray", metavar="ADDRESS", help="of a cluster, `auto`, or `local` for one of its own; "
        "default: RAY_ADDRESS (set in Ray jobs), or `local`")  # fmt: skip


def _add_caps(run: argparse.ArgumentParser) -> None:
    add = run.add_argument_group("caps and resuming").add_argument
    add("--budget", metavar="USD", help="stop when so much is spent, all runs together")
    add("--max-errors", metavar="N|P%", help="stop when more rows than this have failed")
    add("--retry-errors", action="store_true", help="do rows again that have failed before")
    add("--overwrite", action="store_true", help="replace an OUTPUT that is there")
    add("--keep-parts", action="store_true", help="leave OUTPUT.parts when all is done")
    add("--part-rows", type=_positive, default=500, metavar="N", help="rows in one of those files")


def _add_shown(run: argparse.ArgumentParser) -> None:
    add = run.add_argument_group("what is shown").add_argument
    add("--dry-run", action="store_true", help="show the first prompts, ask nothing")
    add("--progress", choices=("auto", "bar", "lines", "json", "quiet"), default="auto")
    add("--quiet", action="store_true", help="no progress")
    add("--json", action="store_true", help="the summary as JSON")
    # For `serve-app batch`: a job's environment can be read by others, a file of ours cannot.
    add("--take-key", help=argparse.SUPPRESS)


def order_of(options: argparse.Namespace, environ: Mapping[str, str]) -> Order:
    """The order that a command line means.

    Raises:
        BatchFailed: two options do not go together, or a value cannot be read.
    """
    order = Order(
        input=options.input,
        output=options.output,
        prompt=options.prompt,
        messages_column=options.messages_column,
        system=options.system,
        model=options.model,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        params=_assignments(options.param, "--param"),
        prefix=options.prefix,
        limit=options.limit,
        via=options.via,
        url=options.url or environ.get(URL_ENV) or DEFAULT_URL,
        concurrency=options.concurrency,
        timeout_s=options.timeout,
        patience_s=options.patience,
        engines=options.engines,
        device=options.device,
        engine=_assignments(options.engine, "--engine"),
        budget_micro_usd=_micro_usd(options.budget),
        max_errors=options.max_errors,
        part_rows=options.part_rows,
        retry_errors=options.retry_errors,
        keep_parts=options.keep_parts,
        overwrite=options.overwrite,
        show="quiet" if options.quiet else options.progress,
        ray=options.ray,
    )
    _check(order)
    return order


def _check(order: Order) -> None:
    if order.max_errors is not None:
        errors_of(order.max_errors, 0)
    if order.via == "vllm" and order.budget_micro_usd is not None:
        raise BatchFailed("--budget is for --via graph: engines of one's own have no price", USAGE)
    if order.via == "vllm" and order.model == "auto":
        raise BatchFailed(
            "--via vllm needs --model: a folder, a name at the Hugging Face hub, or `embedded`",
            USAGE,
        )
    if order.via == "graph" and order.engine:
        raise BatchFailed("--engine is for --via vllm", USAGE)
    if {"messages", "model", "stream"} & order.params.keys():
        raise BatchFailed("--param may set anything but messages, model and stream", USAGE)


def _assignments(texts: Sequence[str], option: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        name, is_given, value = text.partition("=")
        if not is_given or not name:
            raise BatchFailed(f"{option} is NAME=VALUE, not {text!r}", USAGE)
        try:
            found[name] = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError):
            found[name] = value
    return found


def _micro_usd(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise BatchFailed(f"--budget is an amount in US dollars, not {text!r}", USAGE)
    return int(amount * 1_000_000)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be more than 0")
    return seconds


def arguments(order: Order) -> list[str]:
    """The command line that means this order, from INPUT on."""
    values: dict[str, object] = {
        "--prompt": order.prompt,
        "--messages-column": order.messages_column,
        "--system": order.system,
        "--model": order.model,
        "--temperature": order.temperature,
        "--max-tokens": order.max_tokens,
        "--prefix": order.prefix or None,
        "--limit": order.limit,
        "--via": order.via,
        "--url": order.url,
        "--concurrency": order.concurrency,
        "--timeout": order.timeout_s,
        "--patience": order.patience_s,
        "--engines": order.engines,
        "--device": order.device,
        "--ray": order.ray,
        "--budget": None if order.budget_micro_usd is None else usd(order.budget_micro_usd),
        "--max-errors": order.max_errors,
        "--part-rows": order.part_rows,
        "--progress": order.show,
    }
    flags = {
        "--retry-errors": order.retry_errors,
        "--keep-parts": order.keep_parts,
        "--overwrite": order.overwrite,
    }
    # With `=`, so that a value that begins with a dash is not taken for an option.
    given = [f"{name}={value}" for name, value in values.items() if value is not None]
    given += [name for name, is_set in flags.items() if is_set]
    for option, fields in (("--param", order.params), ("--engine", order.engine)):
        given += [f"{option}={k}={msgspec.json.encode(v).decode()}" for k, v in fields.items()]
    return [*given, f"--output={order.output}", "--", order.input]
