"""What a request weighs: a query in, its tokens out, and what they cost at a price."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from serve_app.config.policy import Price
from serve_app.core.plan import PlanQuery
from serve_app.routing.fit import wanted_tokens

EXPECTED_ANSWER: Final = 400
"""Tokens of a common answer. A request's own limit is mostly far above what comes."""

PICO_A_MICRO: Final = 1_000_000


class Load(Struct, frozen=True, gc=False):
    """Tokens of one request, and what else it asks of a model."""

    needs: frozenset[str]
    wanted: int
    """Tokens of the prompt and of the longest answer it may have."""
    prompt: int
    ranked: int
    """Tokens of the prompt as the conversation's last question left it. Models are put in order
    by it: if what tools send back counted, the order could turn over in the middle of a loop."""
    answer: int
    """Tokens of the answer as it is to be expected."""
    warm: str
    """`backend/model` that has the prompt in its cache."""


def load_of(query: PlanQuery) -> Load:
    prompt = query.prompt_tokens
    opening = query.opening_tokens if query.conversation else 0
    answer = 0 if query.endpoint == "embeddings" else min(query.max_output_tokens, EXPECTED_ANSWER)
    needs = frozenset(query.needs)
    return Load(needs, wanted_tokens(query), prompt, opening or prompt, answer, query.warm)


def cost_pico_usd(price: Price, prompt: int, answer: int, cached: bool) -> int:
    """Expected cost, exact; `cached`: the model has the prompt in its cache."""
    input_price = price.input
    if cached and price.cached_input is not None:
        input_price = price.cached_input
    return prompt * input_price + answer * price.output


def micro_usd(pico_usd: int) -> int:
    """Rounded half up."""
    return (pico_usd + PICO_A_MICRO // 2) // PICO_A_MICRO
