"""A made-up day of a service, for the pictures: its usual traffic, and what went wrong in it.

Everything is told as of a minute `t` before the day's end (0 is the end, -1440 the beginning):
DeepSeek fails from -170 to -146, Anthropic refuses the key from -75 to -62, a batch fills the local
model from -115 to -85, Redis is away from -42 to -39.
"""

from __future__ import annotations

from math import exp, sin
from typing import Final, NamedTuple

Values = tuple[str, ...]
"""Values of a metric's labels, in the order in which it declares them; last the tenant."""
PerSecond = dict[Values, float]

TENANTS: Final = {"acme": 0.42, "globex": 0.27, "initech": 0.18, "umbrella": 0.09, "other": 0.04}
ROUTES: Final = {
    "/v1/chat/completions": 0.78,
    "/v1/messages": 0.12,
    "/v1/embeddings": 0.07,
    "/v1/tasks": 0.03,
}
LEVELS: Final = {
    "l1": 0.13,
    "l2": 0.08,
    "semantic": 0.06,
    "flight": 0.02,
    "miss": 0.68,
    "bypass": 0.03,
}


class Model(NamedTuple):
    """A model, and what its calls are like."""

    backend: str
    name: str
    share: float
    first_s: float
    token_s: float
    tokens: tuple[int, int, int]
    """In, out, and of those in: cached at the provider."""
    micro_usd: float
    """Cost of a usual call."""


MODELS: Final = (
    Model("openai", "gpt-5-mini", 0.34, 0.42, 0.012, (900, 260, 300), 745),
    Model("openai", "gpt-5", 0.07, 0.90, 0.019, (1400, 420, 500), 5950),
    Model("deepseek", "deepseek-chat", 0.29, 0.65, 0.028, (800, 300, 350), 350),
    Model("anthropic", "claude-haiku-5-5", 0.12, 0.50, 0.011, (1100, 280, 450), 2500),
    Model("local", "qwen2.5-7b-instruct", 0.18, 0.25, 0.024, (600, 200, 260), 0),
)


def within(t: float, begins: float, ends: float) -> bool:
    return begins <= t < ends


def requests(t: float) -> float:
    """Requests a second: few at night, most in the afternoon; the day ends at 18 h."""
    hour = (18 + t / 60) % 24
    return 3 + 13 * exp(-(((hour - 14.5) / 4.2) ** 2)) + 1.2 * sin(t / 17) + 0.8 * sin(t / 5.3)


def strain(t: float) -> float:
    """How much longer things take than usual."""
    return 1.0 + 1.6 * within(t, -170, -164) + 0.5 * within(t, -75, -70) + 0.3 * within(t, -42, -39)


def failing(t: float) -> float:
    """Share of requests that get no answer: until the breaker opens, and without Redis."""
    return 0.002 + 0.085 * within(t, -170, -166) + 0.03 * within(t, -42, -39)


def out(model: Model, t: float) -> str:
    """Why a model gets no calls at the moment: `open`, `key_refused`, or nothing."""
    if model.backend == "deepseek" and within(t, -168, -146):
        return "open"
    if model.backend == "anthropic" and within(t, -75, -62):
        return "key_refused"
    return ""


def calls(t: float) -> dict[Model, float]:
    """Calls a second that each model answers; the first one takes over what others cannot."""
    misses = requests(t) * (LEVELS["miss"] + LEVELS["bypass"])
    batch = 2.6 * within(t, -115, -88)
    usual = {model: misses * model.share for model in MODELS}
    answers = {model: 0.0 if out(model, t) else rate for model, rate in usual.items()}
    answers[MODELS[0]] += sum(usual.values()) - sum(answers.values())
    local = MODELS[-1]
    return answers | {local: min(answers[local] + batch, 4.1)}


def failures(model: Model, t: float) -> PerSecond:
    """Failed calls a second by outcome."""
    usual = requests(t) * model.share
    if model.backend == "deepseek" and within(t, -170, -146):
        return {("transient",): usual if t < -168 else 0.06}
    if out(model, t):
        return {("candidate",): 0.05}
    return {("transient",): 0.004 * usual, ("interrupted",): 0.002 * usual}


def waiting(t: float) -> float:
    """Calls that wait for a turn at the local model."""
    return max(0.0, 34 - abs(t + 98) * 1.7) + 0.6 * (1 + sin(t / 9))
