"""`serve-app explain`: the way of one request, stage by stage."""

from __future__ import annotations

import json
from typing import Annotated, Final
from urllib.parse import quote, urlencode

import typer
from rich.console import Console

from serve_app.cli import options
from serve_app.cli.chat import address
from serve_app.cli.explain_picture import head_of, plan_of, waterfall
from serve_app.cli.gateway import Gateway
from serve_app.cli.summary import KEY_ENV
from serve_app.config.paths import ADMIN_KEY

_WAIT_S: Final = 2
"""A trail is there a second after its request."""


def explain(
    request_id: Annotated[
        str, typer.Argument(help="Its id: `x-request-id` in the answer's head, or in the log.")
    ],
    tenant: Annotated[
        str | None,
        typer.Option(help="Whose request, where several have one of that id. For admins."),
    ] = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what each stage decided about a request, why, and how long it took. With an admin key
    in SERVE_APP_ADMIN_KEY of any tenant, else with the key of the environment of its own.

    \b
    Examples:
      serve-app explain req_3f2a9c41d07b5e6f8a9b0c1d
      serve-app explain req_3f2a9c41d07b5e6f8a9b0c1d --json
    """
    terms = {"wait_s": str(_WAIT_S), **({"tenant": tenant} if tenant else {})}
    gateway = Gateway(address(url), key_env=(ADMIN_KEY, KEY_ENV))
    path = f"/v1/trails/{quote(request_id, safe='')}?{urlencode(terms)}"
    trail = gateway.must("GET", path)
    if as_json:
        print(json.dumps(trail, ensure_ascii=False))
        return
    console = Console()
    console.print(head_of(trail))
    console.print()
    console.print(waterfall(trail, console.width))
    if trail["plan"] is not None:
        console.print()
        console.print(plan_of(trail["plan"]))
