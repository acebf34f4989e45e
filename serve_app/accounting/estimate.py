"""What a month will cost: a workload and a price in, micro-USD out."""

from __future__ import annotations

from fractions import Fraction
from math import floor

from msgspec import Struct

from serve_app.config.policy import Price

_MILLION = 1_000_000


class Workload(Struct, frozen=True):
    """What is asked in a day."""

    requests_per_day: int
    tokens_per_request: int
    """Prompt and answer together."""
    prompt_share: Fraction = Fraction(2, 3)
    """Of those tokens; 2/3 is two prompt tokens for each one of the answer."""
    cache_hit_share: Fraction = Fraction(0)
    """Of the requests, answered from the cache at no cost."""


def monthly_cost(price: Price, workload: Workload, *, days: int = 30) -> int:
    """Cost of `days` days in micro-USD, rounded half up once, at the end."""
    requests = workload.requests_per_day * days * (1 - workload.cache_hit_share)
    tokens = requests * workload.tokens_per_request
    per_token = workload.prompt_share * price.input + (1 - workload.prompt_share) * price.output
    return floor(tokens * per_token / _MILLION + Fraction(1, 2))
