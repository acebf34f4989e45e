"""`serve-app batch`: a batch as a Ray job on the cluster of the running gateway, followed here."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import typer

from serve_app.batch import options as program
from serve_app.batch.failure import INTERRUPTED, BatchFailed
from serve_app.batch.order import Order
from serve_app.cli.batch_follow import Ending, Follower, show_of
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.life.http import Unreachable
from serve_app.cli.life.instance import Instance, write_private
from serve_app.cli.life.jobs_api import JobsApi
from serve_app.cli.life.records import State, load_record
from serve_app.cli.summary import KEY_ENV

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LOST_TRIES = 2
"""A job that Ray lost sight of is begun anew so often: it goes on where it was."""
_STEM_CHARS = 60
_OUTPUT = "serve-app.output"
_ORDER = "serve-app.order"
"""Metadata of our jobs."""

EXAMPLES = """\
examples:
  serve-app batch reviews.csv -o sentiment.csv --prompt 'Positive or negative? {text}'
  serve-app batch in.parquet -o out.parquet --prompt 'Summarise: {body}' --budget 20
  serve-app batch in.jsonl -o out.jsonl --prompt '{q}' --dry-run
  serve-app batch --follow ID
  serve-app batch --stop ID

Ctrl-C stops following, not the batch. Whatever ended a batch, the same command goes on with it.
Exit code: 0 done, 1 the machine is not fit, 2 wrong usage, 3 stopped early, 130 interrupted.
"""

batch_settings = {
    "ignore_unknown_options": True,
    "allow_extra_args": True,
    "help_option_names": [],
}


def batch(context: typer.Context) -> None:
    """Answer every row of a file with a model, as a Ray job on the gateway's cluster.

    \b
    Examples:
      serve-app batch reviews.csv -o sentiment.csv --prompt 'Positive or negative? {text}'
      serve-app batch --help
    """
    code = run(context.args)
    if code:
        raise SystemExit(code)


def run(arguments: Sequence[str]) -> int:
    """The command; its exit code.

    Raises:
        Failure: it cannot go on.
    """
    given = _parser(arguments).parse_args(arguments)
    try:
        if given.stop:
            return _stop(given.stop)
        if given.follow:
            return _follow(_jobs(), given.follow, given)
        return _submit(program.order_of(given, os.environ), given)
    except BatchFailed as error:
        raise Failure(error.message, error.exit_code) from error
    except Unreachable as error:
        raise Failure(f"The cluster of the gateway is gone: {error}") from error


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="serve-app batch",
        description="Answer every row of INPUT with a model, as a Ray job on the cluster of the "
        "running gateway.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    jobs = parser.add_argument_group("batches that run")
    jobs.add_argument("--follow", metavar="ID", help="watch one that was begun")
    jobs.add_argument("--stop", metavar="ID", help="end one; what is answered is kept")
    jobs.add_argument("--detach", action="store_true", help="begin it and do not watch")
    about_one = {"--follow", "--stop"} & {word.partition("=")[0] for word in arguments}
    if about_one:
        parser.add_argument("--json", action="store_true")
        parser.add_argument("--quiet", action="store_true")
        parser.set_defaults(progress="auto")
    else:
        program.add_to(parser)
    return parser


def _submit(order: Order, given: argparse.Namespace) -> int:
    if given.dry_run:
        # Here, not above: it brings Arrow.
        from serve_app.batch.preview import preview

        print(preview(order), end="")
        return 0
    instance, state = _running()
    order = _for_elsewhere(order, given.url or state.address)
    jobs = _jobs()
    job = _begun(jobs, order, instance)
    if given.detach:
        print(job)
        return 0
    for _ in range(_LOST_TRIES):
        ending = _followed(jobs, job, given)
        if not ending.is_lost:
            break
        words = " ".join(ending.words)[-300:]
        print(f"{job} ended without a word of its own ({words}); going on", file=sys.stderr)
        job = _begun(jobs, order, instance)
    else:
        ending = _followed(jobs, job, given)
    ending.tell(as_json=given.json)
    return ending.exit_code


def _begun(jobs: JobsApi, order: Order, instance: Instance) -> str:
    """The job that makes the output: the one that runs already, or a new one."""
    if (job := _running_job(jobs, order)) is not None:
        print(f"{job} runs already; following it", file=sys.stderr)
        return job
    job = new_job(order.output, time.time())
    jobs.submit(job, _entrypoint(order, instance, job), _metadata(order))
    return job


def _running() -> tuple[Instance, State]:
    """The gateway whose cluster does the work."""
    instance = Instance.of(os.environ)
    state = load_record(instance.state, State)
    if state is None or "dashboard" not in state.ports:
        raise Failure("No gateway runs here: serve-app up; or, without one: "
                      "python -m serve_app.batch run")  # fmt: skip
    return instance, state


def _jobs() -> JobsApi:
    instance, state = _running()
    return JobsApi(f"http://127.0.0.1:{state.ports['dashboard']}", instance.ray_token())


def _for_elsewhere(order: Order, url: str) -> Order:
    """The same order as another process in another folder understands it."""
    from msgspec.structs import replace

    from serve_app.batch.places import absolute

    return replace(
        order,
        input=absolute(order.input),
        output=absolute(order.output),
        url=url,
        show="json",
        ray=None,
    )


def new_job(output: str, now: float) -> str:
    """A name for a job that makes an output.

    Each has its own: Ray takes a job under the name of one that has just ended for dead.

    Args:
        now: Unix seconds.
    """
    stem = _UNSAFE.sub("-", output.rstrip("/").rpartition("/")[2].partition(".")[0])
    return f"batch-{stem[:_STEM_CHARS]}-{int(now * 1000):x}"


def _metadata(order: Order) -> dict[str, str]:
    digest = hashlib.sha256(repr(sorted(order.terms().items())).encode()).hexdigest()
    return {_OUTPUT: order.output, _ORDER: digest}


def _running_job(jobs: JobsApi, order: Order) -> str | None:
    """The job that makes this output at this moment, if one does.

    Raises:
        Failure: it does so on other terms.
    """
    wanted = _metadata(order)
    found = [one for one in jobs.running() if one.metadata.get(_OUTPUT) == order.output]
    if not found:
        return None
    if found[0].metadata.get(_ORDER) != wanted[_ORDER]:
        job = found[0].job
        raise Failure(
            f"{job} makes {order.output} at this moment, on other terms: serve-app batch "
            f"--follow {job}, or --stop {job}",
            USAGE,
        )
    return found[0].job


def _entrypoint(order: Order, instance: Instance, job: str) -> str:
    words = [sys.executable, "-m", "serve_app.batch", "run"]
    if key := os.environ.get(KEY_ENV):
        # Not in the job's environment, which everybody sees who may see jobs.
        words.append(f"--take-key={_key_file(instance.folder, job, key)}")
    return shlex.join([*words, *program.arguments(order)])


def _key_file(folder: Path, job: str, key: str) -> Path:
    path = folder / "batch" / f"{job}.key"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(path, key.encode())
    return path


def _follow(jobs: JobsApi, job: str, given: argparse.Namespace) -> int:
    ending = _followed(jobs, job, given)
    ending.tell(as_json=given.json)
    return ending.exit_code


def _followed(jobs: JobsApi, job: str, given: argparse.Namespace) -> Ending:
    """How a job ended, or that nobody watches it any more."""
    try:
        return Follower(jobs, job, show_of(given)).run()
    except KeyboardInterrupt:
        words = [
            f"\nThe batch goes on. Watch it: serve-app batch --follow {job}",
            f"End it:  serve-app batch --stop {job}",
        ]
        return Ending(INTERRUPTED, words)


def _stop(job: str) -> int:
    jobs = _jobs()
    state = jobs.state(job)
    if state is None:
        raise Failure(f"There is no batch {job!r}", USAGE)
    if state.has_ended:
        print(f"{job} has ended already ({state.status.lower()})")
        return 0
    jobs.stop(job)
    print(f"{job} ends; the command that began it goes on with what is answered")
    return 0
