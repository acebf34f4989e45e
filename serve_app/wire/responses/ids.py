"""Names of responses and of what is in them, which nobody can guess.

A response is `resp_` and 48 hexadecimal digits, of which the last four are zero; its items have
the other 44 in common with it, so that an item leads to its response without an index.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

RESPONSE_ID: Final = re.compile(r"resp_[0-9a-f]{44}0000")
CONVERSATION_ID: Final = re.compile(r"conv_[0-9a-f]{48}")
ITEM_ID: Final = re.compile(r"[a-z]{2,4}_([0-9a-f]{44})[0-9a-f]{4}")

MAX_ITEMS: Final = 0x7FFF
"""Of a request; so many ids there are for its input, and as many for the output."""


def new_response_id() -> str:
    return f"resp_{secrets.token_hex(22)}0000"


def new_conversation_id() -> str:
    return f"conv_{secrets.token_hex(24)}"


def new_item_id(kind: str) -> str:
    """Of an item that belongs to no response; `kind` as in `msg`."""
    return f"{kind}_{secrets.token_hex(24)}"


def output_id(response_id: str, kind: str, at: int) -> str:
    """Of the output item at a place, or of a call's answer to be."""
    return f"{kind}_{response_id[5:49]}{at % MAX_ITEMS + 1:04x}"


def input_id(response_id: str, kind: str, at: int) -> str:
    """Of the input item at a place."""
    return f"{kind}_{response_id[5:49]}{0x8000 + at % MAX_ITEMS:04x}"


def response_of(item_id: str) -> str | None:
    """The response that an item belongs to; None: the id is none of ours."""
    found = ITEM_ID.fullmatch(item_id)
    return None if found is None else f"resp_{found[1]}0000"
