"""`python -m serve_app.batch run INPUT -o OUTPUT`: a batch, as a program or as a Ray job."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from serve_app.batch import options
from serve_app.batch.failure import DONE, ENVIRONMENT, INTERRUPTED, STOPPED, BatchFailed
from serve_app.batch.options import KEY_ENV
from serve_app.batch.progress import Watcher, watcher
from serve_app.batch.signals import Interrupted, ending_on_signals
from serve_app.batch.summary import Summary
from serve_app.core.clock import SystemClock

_CODES = {"done": DONE, "stopped": STOPPED, "interrupted": INTERRUPTED}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    given = options.parser().parse_args(arguments)
    try:
        with ending_on_signals():
            return _run(given, os.environ)
    except BatchFailed as failure:
        return _failed(given, failure.message, failure.exit_code)
    except Interrupted as signal:
        return _failed(given, f"{signal}; the same command goes on", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED
    except OSError as error:
        return _failed(given, f"{error}; the same command goes on", ENVIRONMENT)


def _failed(given: argparse.Namespace, words: str, exit_code: int) -> int:
    if given.progress == "json":
        # Whoever follows the log knows by it that it was us who ended the program.
        sys.stdout.write(msgspec.json.encode({"failed": words}).decode() + "\n")
    else:
        sys.stderr.write(f"{words}\n")
    return exit_code


def _run(given: argparse.Namespace, environ: Mapping[str, str]) -> int:
    key = _key(given.take_key, environ)
    order = options.order_of(given, environ)
    try:
        # Here, not above: whether Arrow is installed shows only now.
        from serve_app.batch.preview import preview
        from serve_app.batch.run import Batch
    except ModuleNotFoundError as error:
        raise BatchFailed(f"{error.name} is missing: pip install 'serve-app[batch]'") from error
    if given.dry_run:
        sys.stdout.write(preview(order))
        return DONE
    watching = watcher(order.show, SystemClock())
    summary = Batch(order, key, watching, SystemClock()).run()
    _tell(summary, watching, given)
    return _CODES[summary.status]


def _key(take_from: str | None, environ: Mapping[str, str]) -> str:
    """The gateway's key: of the environment, or out of a file that is removed."""
    if take_from is None:
        return environ.get(KEY_ENV, "")
    try:
        key = Path(take_from).read_text(encoding="utf-8").strip()
        Path(take_from).unlink()
    except OSError as error:
        raise BatchFailed(f"{take_from}: {error.strerror}") from error
    return key


def _tell(summary: Summary, watching: Watcher, given: argparse.Namespace) -> None:
    if given.json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
        return
    if given.progress == "json":
        sys.stdout.write(msgspec.json.encode({"summary": summary}).decode() + "\n")
        return
    for line in summary.lines():
        sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
