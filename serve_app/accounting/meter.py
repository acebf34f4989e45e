"""Usage and a price in, whole micro-USD out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from serve_app.config.policy import Price
from serve_app.core.types import Usage

_MILLION = 1_000_000


def cost_micro_usd(price: Price, usage: Usage, *, is_batch: bool = False) -> int:
    """Cost of a request in micro-USD, rounded half up; exact, in integers throughout.

    Args:
        is_batch: it has batch priority, which may cost less.
    """
    prompt, completion = max(0, usage.prompt_tokens), max(0, usage.completion_tokens)
    cached = min(cached_tokens(usage), prompt)
    cached_price = price.input if price.cached_input is None else price.cached_input
    total = (prompt - cached) * price.input + cached * cached_price + completion * price.output
    if is_batch:
        return (total * price.batch_percent + 50 * _MILLION) // (100 * _MILLION)
    return (total + _MILLION // 2) // _MILLION


def cached_tokens(usage: Usage) -> int:
    """Prompt tokens that the provider had in its cache; 0 where it says nothing sensible."""
    cached = (usage.prompt_tokens_details or {}).get("cached_tokens")
    return cached if isinstance(cached, int) and cached > 0 else 0


def count_usage(
    prompt: Iterable[str],
    completion_tokens: int,
    count: Callable[[str], int],
    *,
    tokens_per_message: int = 4,
) -> Usage:
    """Usage of a reply whose backend gave none.

    Args:
        prompt: the text of each message.
        completion_tokens: of the answer, counted by the same rule.
        count: tokens of a text.
        tokens_per_message: what a chat template puts around each message.
    """
    prompt_tokens = sum(count(text) + tokens_per_message for text in prompt)
    return Usage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )
