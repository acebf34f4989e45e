"""Probabilities of tokens as Responses has them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def probable(logprobs: Any) -> list[Json]:
    """Those of a choice's `logprobs`, as chat completions has them; what is none is left out."""
    content = logprobs.get("content") if isinstance(logprobs, dict) else None
    if not isinstance(content, list):
        return []
    tokens = [_token(one) for one in content]
    return [token for token in tokens if token is not None]


def _token(given: Any) -> Json | None:
    shown = _one(given)
    if shown is None:
        return None
    top = given.get("top_logprobs")
    others = [_one(one) for one in top] if isinstance(top, list) else []
    return {**shown, "top_logprobs": [one for one in others if one is not None]}


def _one(given: Any) -> Json | None:
    if not isinstance(given, dict):
        return None
    token, logprob, octets = given.get("token"), given.get("logprob"), given.get("bytes")
    if not isinstance(token, str) or not isinstance(logprob, int | float):
        return None
    if not isinstance(octets, list):
        octets = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "bytes": octets, "logprob": logprob}
