"""`serve-app keys`: make, see, change, replace and disable the API keys of a running gateway."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer
from rich.console import Console

from serve_app.cli import key_words, options
from serve_app.cli.chat import address
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.gateway import Gateway
from serve_app.cli.key_table import lines_of, table_of
from serve_app.cli.summary import KEY_ENV
from serve_app.config.paths import ADMIN_KEY
from serve_app.core import api_key

keys = typer.Typer(
    name="keys",
    help=f"API keys of a running gateway. Needs an admin key in {ADMIN_KEY}.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

KeyId = Annotated[str, typer.Argument(help="Its id, as `list` shows it.")]
Model = Annotated[
    list[str] | None,
    typer.Option(help="It may ask for: MODEL, BACKEND/MODEL or a beginning like 'gpt-*'; several."),
]
Path = Annotated[
    list[str] | None,
    typer.Option(help="A route it may use, like /v1/chat/completions or '/v1/*'; several."),
]
Limit = Annotated[
    list[str] | None,
    typer.Option(help="NAME=NUMBER, like requests_per_minute=60 or budget.month=50; several."),
]
Priority = Annotated[
    str | None, typer.Option(help="interactive or batch: who waits when a local model is busy.")
]
Expires = Annotated[str | None, typer.Option(help="30d, 12h, 2026-12-31 or never.")]
Team = Annotated[str | None, typer.Option(help="Its team.")]
Note = Annotated[str | None, typer.Option(help="What it is for; shown in lists.")]


@keys.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose key it is.")],
    user: Annotated[str | None, typer.Option(help="Default: the key is its own user.")] = None,
    team: Team = None,
    model: Model = None,
    path: Path = None,
    limit: Limit = None,
    priority: Priority = None,
    expires: Expires = None,
    note: Note = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a key. It is shown once: only its SHA-256 is stored.

    \b
    Examples:
      serve-app keys create --tenant acme --user ann --expires 90d
      serve-app keys create --tenant acme --model 'gpt-*' --limit requests_per_minute=60
      serve-app keys create --tenant acme --limit budget.month=50 --json
    """
    body = {"tenant": tenant, "user": user} | _terms(
        team, model, path, limit, priority, expires, note
    )
    _show_once(_send(url, "POST", "/v1/keys", body), as_json=as_json)


@keys.command("list")
def show_all(
    tenant: Annotated[str | None, typer.Option(help="Default: all.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 1000,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show the keys that were made here, newest first; those of the policy are not among them.

    \b
    Examples:
      serve-app keys list
      serve-app keys list --tenant acme --json
    """
    found = _pages(_gateway(url), tenant, limit)
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        Console().print(table_of(found, time.time()) if found else "There are no keys yet.")


@keys.command()
def show(key_id: KeyId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Show all that is known of a key.

    \b
    Example:
      serve-app keys show 3f2a9c41d07b
    """
    _show(_send(url, "GET", _path(key_id)), as_json=as_json)


@keys.command()
def change(
    key_id: KeyId,
    team: Team = None,
    model: Model = None,
    path: Path = None,
    limit: Limit = None,
    priority: Priority = None,
    expires: Expires = None,
    note: Note = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Change what a key may do. What is given takes the place of what was there.

    \b
    Examples:
      serve-app keys change 3f2a9c41d07b --expires never
      serve-app keys change 3f2a9c41d07b --limit requests_per_minute=10 --limit budget.day=1
    """
    terms = _terms(team, model, path, limit, priority, expires, note)
    if not terms:
        raise Failure("Say what is to change: --model, --limit, --expires, ...", USAGE)
    _show(_send(url, "PATCH", _path(key_id), terms), as_json=as_json)


@keys.command()
def rotate(
    key_id: KeyId,
    grace: Annotated[
        str, typer.Option(help="How long the old key stays good: 90s, 15m, 12h, 30d.")
    ] = "0s",
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Make a new key in place of another: same tenant, limits and budget. It is shown once.

    \b
    Example:
      serve-app keys rotate 3f2a9c41d07b --grace 24h
    """
    body = {"grace_s": key_words.span_s(grace)}
    _show_once(_send(url, "POST", _path(key_id, "rotate"), body), as_json=as_json)


@keys.command()
def disable(key_id: KeyId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Refuse a key from now on; every replica does within a second.

    \b
    Example:
      serve-app keys disable 3f2a9c41d07b
    """
    _show(_send(url, "POST", _path(key_id, "disable")), as_json=as_json)


@keys.command()
def enable(key_id: KeyId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Accept a disabled key again.

    \b
    Example:
      serve-app keys enable 3f2a9c41d07b
    """
    _show(_send(url, "POST", _path(key_id, "enable")), as_json=as_json)


@keys.command()
def delete(key_id: KeyId, url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Forget a key: it is refused, and no list has it. What it used stays in the books.

    \b
    Example:
      serve-app keys delete 3f2a9c41d07b
    """
    _show(_send(url, "DELETE", _path(key_id)), as_json=as_json)


@keys.command()
def admin(as_json: options.AsJson = False) -> None:
    """Make an admin key. Nothing is stored: put the key, or its digest, where the gateway reads it.

    \b
    Example:
      serve-app keys admin
    """
    key = api_key.make(api_key.ADMIN_PREFIX)
    sha256 = hashlib.sha256(key.encode()).hexdigest()
    if as_json:
        print(json.dumps({"key": key, "sha256": sha256}))
        return
    print(key)
    _warn()
    print(
        f"\nGive the gateway the key:\n\n  export {ADMIN_KEY}={key}\n\n"
        f"or its digest, in the policy:\n\n  admission:\n    admin_keys:\n      - {sha256}",
        file=sys.stderr,
    )


def _terms(
    team: str | None,
    model: list[str] | None,
    path: list[str] | None,
    limit: list[str] | None,
    priority: str | None,
    expires: str | None,
    note: str | None,
) -> dict[str, Any]:
    """The terms that were given."""
    terms = {
        "team": team,
        "models": model or None,
        "paths": path or None,
        "limits": key_words.limits(limit) if limit else None,
        "priority": priority,
        "expires_at": None if expires is None else key_words.moment(expires, time.time()),
        "note": note,
    }
    return {name: value for name, value in terms.items() if value is not None}


def _pages(gateway: Gateway, tenant: str | None, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    terms: dict[str, Any] = {"tenant": tenant} if tenant else {}
    while len(found) < limit:
        terms["limit"] = min(1000, limit - len(found))
        said = gateway.must("GET", f"/v1/keys?{urlencode(terms)}")
        found += said["data"]
        terms["after"] = said["next"]
        if not said["next"]:
            break
    return found


def _gateway(url: str | None) -> Gateway:
    return Gateway(address(url), key_env=(ADMIN_KEY, KEY_ENV))


def _send(
    url: str | None, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    sent = None
    if body is not None:
        sent = json.dumps({name: value for name, value in body.items() if value is not None})
    return _gateway(url).must(method, path, sent.encode() if sent is not None else None)


def _path(key_id: str, action: str = "") -> str:
    path = f"/v1/keys/{quote(key_id, safe='')}"
    return f"{path}/{action}" if action else path


def _show(key: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(key, ensure_ascii=False))
    else:
        Console().print(lines_of(key, time.time()))


def _show_once(made: dict[str, Any], *, as_json: bool) -> None:
    """A new key; standard output has it alone on its first line."""
    if as_json:
        print(json.dumps(made, ensure_ascii=False))
        return
    print(made["key"])
    _warn()
    Console(stderr=True).print(lines_of(made, time.time()))


def _warn() -> None:
    print("Keep it: it is not stored and will not be shown again.", file=sys.stderr)
