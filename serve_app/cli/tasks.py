"""`serve-app tasks`: see, cancel, try again and purge the background tasks of a running gateway."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import typer
from rich.console import Console

from serve_app.cli import key_words, options
from serve_app.cli.chat import address
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.gateway import Gateway
from serve_app.cli.summary import KEY_ENV
from serve_app.cli.task_table import lines_of, table_of
from serve_app.config.paths import ADMIN_KEY

tasks = typer.Typer(
    name="tasks",
    help=f"Background tasks of a running gateway. With an admin key in {ADMIN_KEY} all tenants'; "
    f"with another key in {KEY_ENV} those of its tenant.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_PAGE: Final = 1000
_STATES: Final = "pending, delayed, running, succeeded, failed, cancelled or dead"

TaskIds = Annotated[list[str], typer.Argument(help="Ids, as `list` shows them.")]
State = Annotated[str | None, typer.Option(help=f"Only those: {_STATES}.")]
Tenant = Annotated[str | None, typer.Option(help="Of one tenant only.")]


@tasks.command("list")
def show_all(
    state: State = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show tasks, newest first. Dead ones are those that ran out of tries.

    \b
    Examples:
      serve-app tasks list
      serve-app tasks list --state dead --tenant acme
      serve-app tasks list --state running --json
    """
    found = _pages(_gateway(url), {"state": state, "tenant": tenant}, limit)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        Console().print(table_of(found, time.time()) if found else "There are no such tasks.")


@tasks.command()
def show(
    task_id: Annotated[str, typer.Argument(help="Its id, as `list` shows it.")],
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show all that is known of a task, but not what it was given or what came of it.

    \b
    Example:
      serve-app tasks show task_3f2a9c41d07b5e6f8a9b0c1d
    """
    task = _gateway(url).must("GET", _path(task_id))
    if as_json:
        print(json.dumps(task, ensure_ascii=False))
    else:
        Console().print(lines_of(task))


@tasks.command()
def retry(
    task_ids: Annotated[list[str] | None, typer.Argument(help="Ids, as `list` shows them.")] = None,
    every_dead: Annotated[
        bool, typer.Option("--all-dead", help="Every dead task, of --tenant if given.")
    ] = False,
    tenant: Tenant = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Try failed or dead tasks again, as if they were new.

    \b
    Examples:
      serve-app tasks retry task_3f2a9c41d07b5e6f8a9b0c1d
      serve-app tasks retry --all-dead --tenant acme
    """
    if bool(task_ids) == every_dead:
        raise Failure("Name tasks, or say --all-dead", USAGE)
    gateway = _gateway(url)
    if every_dead:
        dead = _pages(gateway, {"state": "dead", "tenant": tenant}, 100_000)
        task_ids = [task["id"] for task in dead]
    _each(gateway, task_ids or [], "retry", as_json=as_json)


@tasks.command()
def cancel(task_ids: TaskIds, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """End tasks that have not ended; a running one stops within seconds.

    \b
    Example:
      serve-app tasks cancel task_3f2a9c41d07b5e6f8a9b0c1d
    """
    _each(_gateway(url), task_ids, "cancel", as_json=as_json)


@tasks.command()
def purge(
    state: Annotated[
        str | None, typer.Option(help=f"{_STATES}, but not running. Default: all that ended.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="That ended so long ago: 90s, 15m, 12h, 30d.")
    ] = None,
    tenant: Tenant = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Forget tasks and their results for good.

    \b
    Examples:
      serve-app tasks purge --state dead
      serve-app tasks purge --older-than 12h --tenant acme --yes
    """
    if state is None and older_than is None:
        raise Failure("Say which tasks are to go: --state, --older-than, or both", USAGE)
    age = None if older_than is None else key_words.span_s(older_than)
    if not yes and not typer.confirm("Forget these tasks and their results?", err=True):
        raise Failure("Nothing was purged")
    purged = _purge(_gateway(url), {"state": state, "older_than_s": age, "tenant": tenant})
    print(json.dumps({"purged": purged}) if as_json else f"{purged} tasks are gone.")


def _pages(gateway: Gateway, terms: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while len(found) < limit:
        page = {**terms, "limit": min(_PAGE, limit - len(found)), "cursor": cursor}
        said = gateway.must("GET", f"/v1/tasks?{_query(page)}")
        found += said["data"]
        cursor = said["next"]
        if not cursor:
            break
    return found


def _purge(gateway: Gateway, terms: dict[str, Any]) -> int:
    purged, cursor = 0, ""
    while True:
        said = gateway.must("DELETE", f"/v1/tasks?{_query({**terms, 'cursor': cursor})}")
        purged += int(said["purged"])
        cursor = said["next"]
        if not cursor:
            return purged


def _each(gateway: Gateway, task_ids: list[str], action: str, *, as_json: bool) -> None:
    """Ask the same of each task; at the first that is refused the command ends."""
    changed = []
    for task_id in task_ids:
        task = gateway.must("POST", f"{_path(task_id)}/{action}")
        changed.append(task)
        if not as_json:
            print(f"{task['id']} is {task['state']}")
    if as_json:
        print(json.dumps(changed, ensure_ascii=False))
    elif not changed:
        print("There are no such tasks.")


def _query(terms: dict[str, Any]) -> str:
    return urlencode({name: value for name, value in terms.items() if value not in (None, "")})


def _path(task_id: str) -> str:
    return f"/v1/tasks/{quote(task_id, safe='')}"


def _gateway(url: str | None) -> Gateway:
    return Gateway(address(url), key_env=(ADMIN_KEY, KEY_ENV))
