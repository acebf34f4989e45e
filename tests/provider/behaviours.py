"""How the scripted provider behaves, by the name of the model.

A name that is in none of the modules imported here behaves like `ok`. Numbers in a name are
parameters: `status-503`, `cut-after-3`, `slow-300ms`, `chunks-1000`, `drip-20ms`.
"""

from __future__ import annotations

import breaks
import contents
import framing
import refusals
from acting import BEHAVIOURS, ok
from connection import Exchange, Request

MODULES = (contents, refusals, breaks, framing)
"""Each registers its behaviours when it is imported."""


async def act(name: str, request: Request, exchange: Exchange) -> None:
    """Answer a chat request as the named behaviour does."""
    body = request.json()
    for pattern, behaviour in BEHAVIOURS:
        if match := pattern.fullmatch(name):
            await behaviour(body, exchange, request, *match.groups())
            return
    await ok(body, exchange)
