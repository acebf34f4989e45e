"""What the semantic level would serve of labelled pairs, and how much of that wrongly.

Each pair meets an empty cache: one side is stored, the other looked up, by the way every request
takes (fingerprint, partition, level). A hit on a pair that one answer serves is right, on a trap
it is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec
from msgspec import Raw, Struct

from serve_app.cache.key import prints
from serve_app.cache.semantic.base import Embedder, Embedding
from serve_app.cache.semantic.judge import PairJudge
from serve_app.cache.semantic.level import SemanticLevel
from serve_app.config.policy import SemanticPolicy
from serve_app.config.structure import SemanticStructure
from serve_app.core.clock import SystemClock
from serve_app.core.kept import Entry, Fill
from serve_app.core.types import ChatParams, ChatRequest, Message

THRESHOLDS = [round(0.5 + 0.01 * step, 2) for step in range(51)]


class PairsRejected(ValueError):
    """A file of pairs that cannot be used; names the file, the line and the field."""


class LabelledPair(Struct, frozen=True):
    """Two questions or conversations, and whether one answer serves both."""

    a: str | list[Message]
    b: str | list[Message]
    same_answer: bool
    category: str = ""
    subtype: str = ""
    id: str = ""

    @property
    def kind(self) -> str:
        return self.category or self.subtype or "pairs"

    @property
    def half(self) -> int:
        """0 or 1, by a digest of the pair: to tune on one and report the other."""
        name = self.id or msgspec.json.encode([self.a, self.b]).decode()
        return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2


class Judged(NamedTuple):
    """A pair, and what became of it."""

    pair: LabelledPair
    served: bool
    why: str
    """The guard that forbade it, or `exact` and `partition`; empty: the judge decided."""
    cosine: float | None
    """Of two questions that may be compared at all."""
    score: float


class Shares(NamedTuple):
    """Of the pairs that one answer serves, how many were served; of the traps, how many."""

    served: float
    wrong: float


def read_pairs(path: Path) -> list[LabelledPair]:
    """The pairs of a JSON Lines file.

    Raises:
        PairsRejected
    """
    decode = msgspec.json.Decoder(LabelledPair).decode
    pairs = []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise PairsRejected(f"{path}: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                pairs.append(decode(line))
            except msgspec.MsgspecError as error:
                raise PairsRejected(f"{path}:{number}: {error}") from None
    if not pairs:
        raise PairsRejected(f"{path}: there are no pairs in it")
    return pairs


class _Remembering:
    """The embedder with a memory: each text of a file is embedded once."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self._embedder = embedder
        self._known: dict[str, Embedding] = {}

    async def embed(self, texts: list[str]) -> list[Embedding]:
        if new := [text for text in texts if text not in self._known]:
            found = await self._embedder.embed(new)
            self._known.update(zip(new, found, strict=True))
        return [self._known[text] for text in texts]

    async def close(self) -> None:
        """The embedder is its owner's."""


class Evaluator:
    """Puts pairs through the semantic level under a policy.

    Args:
        policy: hits are not held back to be verified, whatever it says about that.
    """

    def __init__(self, policy: SemanticPolicy, embedder: Embedder) -> None:
        unverified = {**policy.model_dump(), "enabled": True, "verify_share": 0.0}
        self._policy = SemanticPolicy.model_validate(unverified)
        self._embedder = _Remembering(embedder)
        self._judge = PairJudge()

    async def judge_all(
        self, pairs: Sequence[LabelledPair], step: Callable[[], object] = lambda: None
    ) -> list[Judged]:
        """What becomes of each pair.

        Args:
            step: called after each.

        Raises:
            EmbedderUnavailable
        """
        judged = []
        for pair in pairs:
            judged.append(await self._judged(pair))
            step()
        return judged

    async def _judged(self, pair: LabelledPair) -> Judged:
        stored, asked = (
            prints(_request(side), "eval", "eval", alike=True) for side in (pair.a, pair.b)
        )
        if stored.exact == asked.exact:
            return Judged(pair, True, "exact", 1.0, 1.0)
        if stored.question is None or asked.question is None:
            return Judged(pair, False, "partition", None, 0.0)
        if stored.question.partition != asked.question.partition:
            return Judged(pair, False, "partition", None, 0.0)
        level = SemanticLevel(
            self._policy,
            SemanticStructure(),
            None,
            self._embedder,
            self._judge,
            SystemClock(),
            Random(1),  # noqa: S311
        )
        await level.add("eval", Fill(stored.exact, _ENTRY, "eval", question=stored.question))
        likeness = await level.lookup("eval", asked.question)
        question, known = asked.question.text, stored.question.text
        one, other = await self._embedder.embed([question, known])
        cosine = float(one.vector @ other.vector)
        opinion = self._judge.opinion(question, known, cosine)
        return Judged(pair, likeness is not None, opinion.why, cosine, opinion.score)


_ENTRY = Entry(False, b"{}", "eval", "eval", 0, 0, 0, 0.0, 0.0)


def _request(side: str | list[Message]) -> ChatRequest:
    said = [Message("user", side)] if isinstance(side, str) else side
    messages = [
        {name: value for name, value in msgspec.to_builtins(message).items() if value is not None}
        for message in said
    ]
    fields = {"model": Raw(b'"auto"'), "messages": Raw(msgspec.json.encode(messages))}
    return ChatRequest(fields, ChatParams("auto", said))


def shares(judged: Sequence[Judged]) -> Shares:
    """What was served rightly and wrongly."""
    return _shares(judged, lambda one: one.served)


def at_threshold(judged: Sequence[Judged], threshold: float, *, guarded: bool) -> Shares:
    """What a plain threshold on the cosine would serve, with the guards or without."""
    return _shares(
        judged,
        lambda one: (
            one.cosine is not None
            and one.cosine >= threshold
            and not (guarded and one.why not in ("", "exact"))
        ),
    )


def _shares(judged: Sequence[Judged], is_hit: Callable[[Judged], bool]) -> Shares:
    right = [is_hit(one) for one in judged if one.pair.same_answer]
    traps = [is_hit(one) for one in judged if not one.pair.same_answer]
    return Shares(_share(right), _share(traps))


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def by_category(judged: Sequence[Judged]) -> dict[str, tuple[bool, int, float]]:
    """By category: whether its pairs should be served, how many there are, the share served."""
    found: dict[tuple[str, bool], list[bool]] = {}
    for one in judged:
        found.setdefault((one.pair.kind, one.pair.same_answer), []).append(one.served)
    return {
        kind: (should, len(hits), _share(hits)) for (kind, should), hits in sorted(found.items())
    }
