"""Manners of answering, put before a behaviour's name and joined by `+`: what is said, to whom.

`tale+cut-after-20` says a long text that only the question decides and is cut after 20 words of
it; `tale+partial+ok` goes on from an answer that was begun, if it is handed over with
`partial: true`; `tale+no-prefix+ok` refuses such a beginning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from answers import TEXT, error, last_user_text, reply_text, tale, text_of
from connection import Exchange

Manner = Callable[[dict[str, Any], Exchange], bool]
"""Prepares a body or an exchange; False: it has answered, there is nothing left to do."""

NOT_MINE = " [this is no beginning of my answer]"

_HANDED_OVER: dict[str, Callable[[dict[str, Any]], bool]] = {
    "any": lambda body: True,
    "bare": lambda body: True,
    "partial": lambda body: body["messages"][-1].get("partial") is True,
    "prefix": lambda body: body["messages"][-1].get("prefix") is True,
    "vllm": lambda body: (
        body.get("continue_final_message") is True and body.get("add_generation_prompt") is False
    ),
}
"""How a begun answer must be handed over, by manner."""


def begun(body: dict[str, Any]) -> str | None:
    """The beginning of an answer that the request hands over, None without one."""
    last = body["messages"][-1] if body.get("messages") else {}
    if last.get("role") != "assistant" or last.get("tool_calls"):
        return None
    return text_of(last.get("content"))


def _tale(body: dict[str, Any], exchange: Exchange) -> bool:
    body[TEXT] = tale(last_user_text(body))
    return True


def _other_words(body: dict[str, Any], exchange: Exchange) -> bool:
    """The same question answered otherwise from the first word on."""
    body[TEXT] = "Long ago " + tale(last_user_text(body) + " otherwise")
    return True


def _departs(body: dict[str, Any], exchange: Exchange) -> bool:
    """The tale's first five words, then another one's."""
    first, other = tale(last_user_text(body)), tale(last_user_text(body) + " otherwise")
    body[TEXT] = " ".join([*first.split(" ")[:5], *other.split(" ")[5:]])
    return True


def _goes_on(style: str) -> Manner:
    def manner(body: dict[str, Any], exchange: Exchange) -> bool:
        if (prefix := begun(body)) is None:
            return True
        if not _HANDED_OVER[style](body):
            return _refuse(exchange, f"the last message must be handed over as {style!r}")
        text = reply_text(body)
        body[TEXT] = text[len(prefix) :] if text.startswith(prefix) else NOT_MINE
        return True

    return manner


def _no_prefix(body: dict[str, Any], exchange: Exchange) -> bool:
    if begun(body) is None:
        return True
    return _refuse(
        exchange, "This model does not support assistant message prefill: the conversation must "
        "end with a user message."
    )  # fmt: skip


def _refuse(exchange: Exchange, message: str) -> bool:
    exchange.whole(400, error(message, "invalid_request_error", None, "messages"))
    return False


def _tight(body: dict[str, Any], exchange: Exchange) -> bool:
    """Says that two requests and 500 tokens are left of its limits for the next 30 s."""
    exchange.headers = {
        "x-ratelimit-limit-requests": "100",
        "x-ratelimit-remaining-requests": "2",
        "x-ratelimit-reset-requests": "30s",
        "x-ratelimit-limit-tokens": "100000",
        "x-ratelimit-remaining-tokens": "500",
        "x-ratelimit-reset-tokens": "30s",
    }
    return True


def _ample(body: dict[str, Any], exchange: Exchange) -> bool:
    _tight(body, exchange)
    exchange.headers |= {
        "x-ratelimit-remaining-requests": "99",
        "x-ratelimit-remaining-tokens": "99000",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-reset-tokens": "250ms",
    }
    return True


MANNERS: dict[str, Manner] = {
    "tale": _tale,
    "other-words": _other_words,
    "departs": _departs,
    **{style: _goes_on(style) for style in _HANDED_OVER},
    "no-prefix": _no_prefix,
    "tight": _tight,
    "ample": _ample,
}
"""Without `any`, `bare`, `partial`, `prefix`, `vllm` or `no-prefix` a beginning is taken for an
earlier turn: the answer begins anew."""


def prepare(name: str, body: dict[str, Any], exchange: Exchange) -> str | None:
    """Apply the manners of a name; the behaviour that is left, None if it is answered."""
    *manners, behaviour = name.split("+")
    if behaviour in MANNERS:
        manners.append(behaviour)
        behaviour = "ok"
    for manner in manners:
        if not MANNERS[manner](body, exchange):
            return None
    return behaviour
