"""Tokens of a message: by the model's own tokenizer where there is one, else by estimate."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from serve_app.core.types import Message
from serve_app.sessions.turns import Turn

log = logging.getLogger(__name__)

Estimate = Callable[[str], int]
"""Tokens of a text, quickly and roughly."""

_FRAME_TOKENS = 5
"""Around each message in common chat templates: start, role, line end, end, line end."""
_MEDIA_TOKENS = 512
"""For a part that is not text. Models differ; an image of medium size is about this."""
_SHORT_CHARS = 1000
"""Counted on the spot, in less than a millisecond; what is longer only in a thread."""
_WARM_CHARS = 200_000
"""Counted ahead for one request, about 0.2 s of one core; what is beyond is estimated."""
_REMEMBERED = 8192


class TokenCounter(Protocol):
    """Counts; never blocks the event loop for long."""

    def count(self, message: Message) -> int:
        """Tokens of a message with what a chat template puts around it."""

    def counts(self, turn: Turn) -> Sequence[int]:
        """The same of each place in a turn."""

    async def warm(self, messages: Sequence[Message]) -> None:
        """Count messages ahead, off the event loop, so that `count` is exact and quick for them."""


class HeuristicCounter:
    """Estimates."""

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate

    def count(self, message: Message) -> int:
        return _around(message) + self._estimate(_text(message))

    def counts(self, turn: Turn) -> Sequence[int]:
        """As they were estimated when the turn was kept."""
        return turn.counts

    async def warm(self, messages: Sequence[Message]) -> None:
        """Nothing to do."""


class TokenizerCounter:
    """Counts with the tokenizer in a model's folder; estimates until it is loaded.

    Loading takes a second of a thread and 60 MB, and begins with `start` or the first `warm`.
    A folder that is missing or broken is said once in the log; then all is estimated.
    Counts are remembered, so that a long history is not read through at every request.

    Args:
        folder: has the model's `tokenizer.json`.
        estimate: for texts that cannot be counted (yet).
    """

    def __init__(self, folder: Path, estimate: Estimate) -> None:
        self._folder = folder
        self._estimate = estimate
        self._tokenizer: Any = None
        self._loading: asyncio.Task[Any] | None = None
        self._counts: OrderedDict[bytes, int] = OrderedDict()

    def start(self) -> None:
        """Begin loading, if nobody did; call it in the running loop."""
        if self._loading is None:
            self._loading = asyncio.ensure_future(asyncio.to_thread(_load, self._folder))
            self._loading.add_done_callback(self._loaded)

    async def loaded(self) -> bool:
        """Wait for the tokenizer; False if there is none to be had."""
        self.start()
        assert self._loading is not None
        await asyncio.wait([self._loading])
        return self._tokenizer is not None

    def count(self, message: Message) -> int:
        text = _text(message)
        known = self._recall(_digest(text))
        if known is None and self._tokenizer is not None and len(text) <= _SHORT_CHARS:
            known = self._remember(_digest(text), self._exact(text))
        return _around(message) + (self._estimate(text) if known is None else known)

    def counts(self, turn: Turn) -> Sequence[int]:
        return [0 if message is None else self.count(message) for message in turn.slots]

    async def warm(self, messages: Sequence[Message]) -> None:
        self.start()
        if self._tokenizer is None:
            return
        texts = self._uncounted(_text(message) for message in reversed(messages))
        if sum(map(len, texts)) > _SHORT_CHARS:
            counts = await asyncio.to_thread(lambda: [self._exact(text) for text in texts])
            for text, count in zip(texts, counts, strict=True):
                self._remember(_digest(text), count)

    def _uncounted(self, texts: Iterable[str]) -> list[str]:
        """The texts that are not known yet, up to what one request may cost."""
        found, room = [], _WARM_CHARS
        for text in texts:
            if _digest(text) not in self._counts:
                room -= len(text)
                if room < 0:
                    break
                found.append(text)
        return found

    def _exact(self, text: str) -> int:
        # encode_batch_fast lets go of the GIL, encode does not (measured: 11 against 167 ms in
        # which the event loop stood still, for 190,000 characters).
        return len(self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids)

    def _recall(self, digest: bytes) -> int | None:
        count = self._counts.get(digest)
        if count is not None:
            self._counts.move_to_end(digest)
        return count

    def _remember(self, digest: bytes, count: int) -> int:
        self._counts[digest] = count
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)
        return count

    def _loaded(self, loading: asyncio.Task[Any]) -> None:
        if loading.cancelled():
            return
        if (error := loading.exception()) is None:
            self._tokenizer = loading.result()
        else:
            log.warning("tokens are estimated, no tokenizer in %s: %s", self._folder, error)


def counters(folders: Mapping[str, Path], estimate: Estimate) -> dict[str, TokenCounter]:
    """A counter for each local backend, by its name, from the folders of their tokenizers."""
    return {name: TokenizerCounter(folder, estimate) for name, folder in folders.items()}


def _load(folder: Path) -> Any:
    """The Rust tokenizer inside transformers' one. Imports transformers: slow, so in a thread.

    Not AutoTokenizer: it imports torch, 250 MB instead of 60.
    """
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError("there is no tokenizer.json")
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    backend = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    return backend


def _text(message: Message) -> str:
    """What the model reads of a message."""
    parts = [message.name or ""]
    if isinstance(message.content, str):
        parts.append(message.content)
    else:
        parts.extend(part.text or "" for part in message.content or ())
    for call in message.tool_calls or ():
        if call.function is not None:
            parts += [call.function.name, call.function.arguments]
    return "\n".join(filter(None, parts))


def _around(message: Message) -> int:
    content = message.content
    media = 0 if not isinstance(content, list) else sum(p.text is None for p in content)
    return _FRAME_TOKENS + media * _MEDIA_TOKENS


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]
