"""A reply from /moderations: OpenAI's `results` in, scores by category or a failure out.

https://platform.openai.com/docs/api-reference/moderations/object; Mistral's has no `flagged`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from serve_app.backends.base import AttemptFailed
from serve_app.backends.refusal import failure_inside, read_refusal
from serve_app.core.types import Chunk

MALFORMED = "malformed"

FLAGGED = "flagged"
"""Label of a text that the provider flags without saying for what."""


class Judgement(Struct, frozen=True):
    """Of one text. A category or score may be null where the model knows it not."""

    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float | None] = {}
    flagged: bool = False

    def scores(self) -> dict[str, float]:
        """By category, 0 to 1. One that the provider itself flags has 1: it knows best from
        which score on each of its categories counts."""
        scores = {name: score or 0.0 for name, score in self.category_scores.items()}
        scores |= {name: 1.0 for name, is_flagged in self.categories.items() if is_flagged}
        if self.flagged and not any(self.categories.values()):
            scores[FLAGGED] = 1.0
        return scores


class _Judgements(Struct):
    results: list[Judgement]


_decode = msgspec.json.Decoder(_Judgements).decode
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError)


def decode_judgements(body: bytes, secret: str | None = None) -> Chunk:
    """The body as one whole chunk without choices.

    Args:
        secret: our key, kept out of messages.

    Raises:
        AttemptFailed: it holds no judgements, or it is an error object.
    """
    try:
        _decode(body)
    except _BROKEN as error:
        if (refusal := read_refusal(body)) is not None:
            raise failure_inside(refusal, secret=secret) from None
        raise AttemptFailed(
            "transient", "the provider's answer is no moderation", code=MALFORMED
        ) from error
    return Chunk(raw=body, whole=True)


def judgements(chunk: Chunk) -> list[Judgement]:
    """Those of a chunk that `decode_judgements` made, in the order of the texts."""
    return _decode(chunk.raw).results
