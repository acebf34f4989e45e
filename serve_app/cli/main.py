"""`serve-app`: its commands, and the one place where their failures become a line and a code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Annotated

import typer

from serve_app import __version__
from serve_app.cli.alerts import alerts
from serve_app.cli.batch import batch, batch_settings
from serve_app.cli.cache_eval import cache
from serve_app.cli.chat import chat
from serve_app.cli.cost import cost
from serve_app.cli.doctor import doctor
from serve_app.cli.down import down
from serve_app.cli.explain import explain
from serve_app.cli.failure import ENVIRONMENT, Failure
from serve_app.cli.keys import keys
from serve_app.cli.life.instance import Instance
from serve_app.cli.prices import prices
from serve_app.cli.records import records
from serve_app.cli.reload import reload
from serve_app.cli.router import router
from serve_app.cli.status import status
from serve_app.cli.tasks import tasks
from serve_app.cli.up import up

app = typer.Typer(
    name="serve-app",
    help="An AI-agent gateway: one OpenAI-compatible address in front of hosted and local models.",
    epilog="Start with: serve-app up   then: serve-app chat   at the end: serve-app down",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (up, down, status, chat, reload, doctor, explain):
    app.command()(command)
app.command(context_settings=batch_settings)(batch)
app.add_typer(router)
app.add_typer(cache)
app.add_typer(keys)
app.add_typer(tasks)
app.add_typer(alerts)
app.add_typer(cost)
app.add_typer(prices)
app.add_typer(records)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"serve-app {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Options before any command."""


def main() -> None:
    """Run a command. Ends with 0, 1 (the machine is not fit) or 2 (the usage is wrong)."""
    try:
        app()
    except Failure as failure:
        print(failure.message, file=sys.stderr)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - a command ends here: a line, not a traceback
        print(f"Unexpected {type(error).__name__}: {error} (see {_keep()})", file=sys.stderr)
        sys.exit(ENVIRONMENT)


def _keep() -> Path:
    """Write the traceback to a file."""
    text = traceback.format_exc()
    for folder in (Instance.of(os.environ).logs, Path(tempfile.mkdtemp(prefix="serve-app-"))):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "crash.log").write_text(text)
        except OSError:
            continue
        return folder / "crash.log"
    return Path(os.devnull)
