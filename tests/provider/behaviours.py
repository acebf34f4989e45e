"""How the scripted provider behaves, by the name of the model.

A name that is in none of the modules imported here behaves like `ok`. Numbers in a name are
parameters: `status-503`, `cut-after-3`, `slow-300ms`, `chunks-1000`, `drip-20ms`. Manners
(`manners.py`) come before it: `tale+partial+cut-after-20`.
"""

from __future__ import annotations

import breaks
import contents
import framing
import keyed
import planned
import refusals
import repeats
import sizes
import toolplay
import unsteady
from acting import BEHAVIOURS, ok
from connection import Exchange, Request
from manners import prepare

MODULES = (contents, repeats, toolplay, planned, keyed, refusals, breaks, unsteady, framing, sizes)
"""Each registers its behaviours when it is imported."""


async def act(name: str, request: Request, exchange: Exchange) -> None:
    """Answer a request for a chat or for embeddings as the named behaviour does."""
    body = request.json()
    behaviour = prepare(name, body, exchange)
    if behaviour is not None:
        await play(behaviour, body, exchange, request)


async def play(name: str, body: dict[str, object], exchange: Exchange, request: Request) -> None:
    for pattern, behaviour in BEHAVIOURS:
        if match := pattern.fullmatch(name):
            await behaviour(body, exchange, request, *match.groups())
            return
    await ok(body, exchange)
