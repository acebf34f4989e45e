"""`serve-app alerts`: what is wrong, hold back what is known, try a channel out."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer
from rich.console import Console

from serve_app.cli import alert_table, key_words, options
from serve_app.cli.chat import address
from serve_app.cli.failure import USAGE, Failure
from serve_app.cli.gateway import Gateway
from serve_app.cli.summary import KEY_ENV
from serve_app.config.paths import ADMIN_KEY

alerts = typer.Typer(
    name="alerts",
    help=f"Alerts of a running gateway. With keys it needs an admin key in {ADMIN_KEY}.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

_MATCHER: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(=~|!~|!=|=)(.*)", re.DOTALL)
_SHOWN_EVENTS: Final = 10


@alerts.command("list")
def show_all(url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Show what fires or is about to, what happened lately, and whether the channels work.

    \b
    Examples:
      serve-app alerts list
      serve-app alerts list --json
    """
    found = _gateway(url).must("GET", "/v1/alerts")
    if as_json:
        _print(found)
        return
    console, active = Console(), [*found["firing"], *found["pending"]]
    console.print(alert_table.alerts_of(active) if active else "No alert fires.")
    if found["history"]:
        console.print("\nLately:")
        console.print(alert_table.events_of(found["history"][:_SHOWN_EVENTS]))
    console.print(
        "\nChannels:" if found["channels"] else "\nNobody is told: there are no channels."
    )
    if found["channels"]:
        console.print(alert_table.channels_of(found["channels"]))


@alerts.command()
def rules(url: options.Url = None, as_json: options.AsJson = False) -> None:
    """Show the rules that hold: the shipped ones and one's own, as the policy has them.

    \b
    Example:
      serve-app alerts rules
    """
    found = _gateway(url).must("GET", "/v1/alerts")["rules"]
    if as_json:
        _print(found)
    else:
        Console().print(alert_table.rules_of(found) if found else "There are no rules.")


@alerts.command()
def silence(
    matchers: Annotated[
        list[str] | None,
        typer.Argument(
            help="LABEL=VALUE, also !=, =~ and !~; all have to fit. `alert` is the rule's name."
        ),
    ] = None,
    span: Annotated[str, typer.Option("--for", help="How long: 90s, 15m, 12h, 30d.")] = "2h",
    reason: Annotated[str, typer.Option(help="Why; others see it.")] = "",
    author: Annotated[str, typer.Option(help="Who says so; default: the admin key's id.")] = "",
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell nobody of some alerts for a while. Without any it shows the silences.

    \b
    Examples:
      serve-app alerts silence alert=BreakerOpen backend=openai --for 2h --reason 'known outage'
      serve-app alerts silence severity=info --for 12h
      serve-app alerts silence
    """
    if not matchers:
        _show_silences(url, as_json=as_json)
        return
    body = {
        "matchers": [_matcher(one) for one in matchers],
        "for_s": key_words.span_s(span),
        "reason": reason,
        "author": author,
    }
    made = _gateway(url).must("POST", "/v1/alerts/silences", json.dumps(body).encode())
    if as_json:
        _print(made)
    else:
        print(f"{made['id']}: nobody is told for {span}. Take it back with:")
        print(f"  serve-app alerts unsilence {made['id']}")


@alerts.command()
def unsilence(
    silence_id: Annotated[str, typer.Argument(help="Its id, as `silence` shows it.")],
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Take a silence back.

    \b
    Example:
      serve-app alerts unsilence silence_3f2a9c41d07b5e6f
    """
    said = _gateway(url).must("DELETE", f"/v1/alerts/silences/{quote(silence_id, safe='')}")
    if as_json:
        _print(said)
    else:
        print(f"{said['id']} is taken back.")


@alerts.command("test")
def try_out(
    channel: Annotated[str, typer.Argument(help="Its name in the policy.")],
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Send a test message to a channel now, and say whether it was taken.

    \b
    Example:
      serve-app alerts test ops
    """
    said = _gateway(url).must("POST", f"/v1/alerts/test/{quote(channel, safe='')}")
    if as_json:
        _print(said)
    else:
        print(f"{said['channel']} took the message.")


def _show_silences(url: str | None, *, as_json: bool) -> None:
    found = _gateway(url).must("GET", "/v1/alerts/silences")["data"]
    if as_json:
        _print(found)
    else:
        Console().print(alert_table.silences_of(found) if found else "There are no silences.")


def _matcher(text: str) -> dict[str, Any]:
    parts = _MATCHER.fullmatch(text)
    if parts is None:
        raise Failure(f"{text!r} is not LABEL=VALUE, like alert=BreakerOpen", USAGE)
    return {"label": parts[1], "op": parts[2], "value": parts[3]}


def _print(found: Any) -> None:
    print(json.dumps(found, ensure_ascii=False))


def _gateway(url: str | None) -> Gateway:
    return Gateway(address(url), key_env=(ADMIN_KEY, KEY_ENV))
