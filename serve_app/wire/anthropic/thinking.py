"""A reply's reasoning and its details as blocks of thinking.

A signature holds for exactly the text it was made for. Where a filter changed that text, the
block goes out without one; Claude would refuse it back.
"""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]


class Detail(NamedTuple):
    """An entry of `reasoning_details` that is worth something: a signature or a sealed block."""

    signature: str = ""
    chars: int | None = None
    """How much of the reasoning the signature covers; None: not told."""
    sealed: str = ""


def details_of(given: Any) -> list[Detail]:
    """The signatures and sealed blocks among what a provider gave."""
    found: list[Detail] = []
    for entry in given if isinstance(given, list) else ():
        if not isinstance(entry, dict):
            continue
        data, signature, chars = entry.get("data"), entry.get("signature"), entry.get("chars")
        if entry.get("type") == "reasoning.encrypted" and isinstance(data, str):
            found.append(Detail(sealed=data))
        elif isinstance(signature, str) and signature:
            found.append(Detail(signature, chars if isinstance(chars, int) else None))
    return found


def blocks_of(reasoning: str, given: Any) -> list[Json]:
    """The blocks of a whole reply, in order."""
    details = details_of(given)
    covered = [detail.chars for detail in details if detail.signature]
    if covered == [None]:
        covered = [len(reasoning)]
    adds_up = sum(chars or 0 for chars in covered) == len(reasoning) and None not in covered
    blocks: list[Json] = []
    if reasoning and not (adds_up and covered):
        blocks.append(thinking(reasoning, ""))
    at, texts = 0, iter(covered)
    for detail in details:
        if detail.sealed:
            blocks.append({"type": "redacted_thinking", "data": detail.sealed})
        elif adds_up:
            until = at + (next(texts) or 0)
            blocks.append(thinking(reasoning[at:until], detail.signature))
            at = until
    return blocks


def thinking(text: str, signature: str) -> Json:
    return {"type": "thinking", "thinking": text, "signature": signature}
