"""The learned router at work: texts of requests in, probabilities out.

Loaded when a policy arrives, and read only from then on. A file that changed under the same name
is another model: it has another `digest`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from serve_app.routing.learned import file
from serve_app.routing.learned.scorer import Scorer

_ON_LOOP_CHARS: Final = 4000
"""Up to so many a batch is judged at once (measured: 60 us for 300, 0.9 ms at most); a larger one
in a thread, so that it holds nobody up."""


class LearnedRouter:
    """Tells requests that only the strong tier will do for; implements `routing.base.Judge`.

    Args:
        threshold: score from which on a request is for the strong tier.
        digest: SHA-256 of the model's file, in hex.
    """

    def __init__(self, scorer: Scorer, threshold: float, digest: str) -> None:
        self.threshold = threshold
        self.digest = digest
        self._scorer = scorer

    @classmethod
    def load(cls, path: Path | str, strong_share: float) -> LearnedRouter:
        """Read a model that `serve-app router train` wrote. Blocks for a few milliseconds.

        Args:
            strong_share: 0 to 1, of requests like the examples, that go to the strong tier.

        Raises:
            PolicyRejected: there is none, or it does not fit; names the file and what is wrong.
        """
        stored = file.load(Path(path).expanduser())
        return cls(stored.model.scorer, stored.model.threshold(strong_share), stored.digest)

    async def judge(self, texts: list[str]) -> list[float]:
        """The probability of each text, 0 to 1, that only the strong tier will do."""
        if sum(map(len, texts)) <= _ON_LOOP_CHARS:
            return self._judge(texts)
        return await asyncio.to_thread(self._judge, texts)

    def _judge(self, texts: list[str]) -> list[float]:
        return [self._scorer.score(text) for text in texts]
