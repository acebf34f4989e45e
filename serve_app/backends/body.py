"""The request as a candidate gets it: its own model name, usage asked for, no more than asked."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Raw

from serve_app.core.plan import Candidate
from serve_app.core.types import ChatRequest

Prepare = Callable[[Candidate], dict[str, bytes]]
"""What a candidate's request differs in: top-level fields as raw JSON."""

_USAGE_TOO = b'{"include_usage":true}'
_LIMITS = ("max_tokens", "max_completion_tokens")
_decode_options = msgspec.json.Decoder(dict[str, Raw]).decode


def upstream_body(
    request: ChatRequest, candidate: Candidate, prepare: Prepare | None, given_tokens: int = 0
) -> bytes:
    """The JSON body of one call.

    Args:
        given_tokens: of the beginning that the candidate is to go on from; they count against
            the caller's own limit.
    """
    changes = {} if prepare is None else dict(prepare(candidate))
    changes["model"] = msgspec.json.encode(candidate.model)
    if request.streaming and not request.wants_usage_chunk:
        changes["stream_options"] = _with_usage(request)
    if given_tokens:
        changes |= _what_is_left(request, given_tokens)
    return request.body(**changes)


def _with_usage(request: ChatRequest) -> bytes:
    if request.params.stream_options is None:
        return _USAGE_TOO
    options = _decode_options(request.fields["stream_options"])
    return msgspec.json.encode({**options, "include_usage": True})


def _what_is_left(request: ChatRequest, given_tokens: int) -> dict[str, bytes]:
    limits = {name: getattr(request.params, name) for name in _LIMITS}
    return {name: b"%d" % max(1, n - given_tokens) for name, n in limits.items() if n}
