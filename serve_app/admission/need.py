"""What a request is expected to use at most: an estimate and the limits in, a need out."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from serve_app.admission import figures
from serve_app.admission.scopes import Scopes
from serve_app.config.policy import AdmissionPolicy
from serve_app.core.errors import TooLarge
from serve_app.core.limits import Need, Scope


class Asking(Struct):
    """What a caller wants to do."""

    path: str = ""
    model: str = ""
    """As requested, aliases resolved; empty: nothing of a model."""
    prompt_tokens: int = 0
    """Estimated."""
    answer_tokens: int | None = None
    """At most; None: the caller sets no maximum."""
    answers: int = 1
    cost: Callable[[int, int], int] = lambda _input, _output: 0
    """Most that so many input and output tokens may cost, in micro-USD."""
    counted: str = ""
    """The name that limits per model count it under; empty: that of `model`."""
    once: str = ""
    """A name under which it is charged once, however often it is done; empty: each time."""
    tenant: str = ""
    """Of whom it must be; empty: of anybody. What was taken in from a key is not done for another
    tenant that has the key now."""


def needed(scopes: Scopes, asking: Asking, policy: AdmissionPolicy) -> Need:
    """What a request may use, with a margin for what the estimate does not see, but never more
    than a bucket holds: what fits by the estimate is not refused for the margin.

    Raises:
        TooLarge: no limit would ever let it through.
    """
    prompt = asking.prompt_tokens
    answer = (asking.answer_tokens or policy.answer_tokens) * asking.answers
    longest = scopes.tokens_per_request
    if longest and prompt + answer > longest:
        raise _too_large(f"{longest:,} tokens per request", prompt, answer)
    if not scopes.counted:
        return Need()
    reserved = round(prompt * policy.reserve_margin)
    cost = asking.cost(reserved, answer)
    for scope in scopes.counted:
        reserved, answer = _fitted(scope, asking, reserved, answer)
    return Need(reserved, answer, cost)


def _fitted(scope: Scope, asking: Asking, reserved: int, answer: int) -> tuple[int, int]:
    """Input and output tokens to reserve, no more than the scope's buckets hold."""
    allowance, prompt = scope.allowance, asking.prompt_tokens
    is_said = asking.answer_tokens is not None
    if allowance.input:
        _check_fits(scope, "input", prompt, asking)
        reserved = min(reserved, allowance.input)
    if allowance.output:
        _check_fits(scope, "output", answer if is_said else 1, asking)
        answer = min(answer, allowance.output)
    if allowance.tokens:
        _check_fits(scope, "tokens", prompt + (answer if is_said else 1), asking)
        answer = min(answer, allowance.tokens - prompt)
        reserved = min(reserved, allowance.tokens - answer)
    return reserved, answer


def _check_fits(scope: Scope, limit: str, tokens: int, asking: Asking) -> None:
    if tokens > getattr(scope.allowance, limit):
        raise _too_large(figures.named(scope, limit), asking.prompt_tokens, asking.answer_tokens)


def _too_large(limit: str, prompt: int, answer: int | None) -> TooLarge:
    wanted = f"about {prompt:,} in the prompt" + (
        f", up to {answer:,} in the answer" if answer else ""
    )
    return TooLarge(
        f"The request is larger than its limit of {limit} ({wanted}).",
        code="limit_too_small",
        param="max_tokens" if answer else "messages",
    )
