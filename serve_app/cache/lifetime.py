"""How long an answer may be served again: a request and a policy in, seconds out."""

from __future__ import annotations

from serve_app.config.policy import CachePolicy
from serve_app.core.types import ChatRequest


def ttl_s(request: ChatRequest, policy: CachePolicy) -> int:
    """Seconds to keep the answer; 0: do not store it.

    Answers that are meant to be the same each time live for `ttl_s`. Those drawn at random
    (temperature above 0) or that may trigger actions (tools) live for `result_ttl_s`.
    """
    if not policy.enabled:
        return 0
    params = request.params
    repeatable = not params.temperature and not params.tools
    return policy.ttl_s if repeatable else policy.result_ttl_s
