"""Models of a well-known size whose weights mean nothing, for engines that fill them in themselves.

vLLM's `load_format: dummy` draws weights at random, so a folder needs a configuration and a
tokenizer only; a GPU is as busy with them as with real ones.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from serve_app.models.embedded import MANIFEST

SHAPES: Final[dict[str, dict[str, Any]]] = {
    # Llama 3.1 8B, but for its vocabulary, which is the embedded model's.
    "llama-8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "tie_word_embeddings": False,
    },
    # Small enough for a CPU, to try a program with.
    "tiny": {"num_hidden_layers": 2},
}


def shaped(shape: str, like: Path, folder: Path) -> Path:
    """A folder with the configuration of a shape, and the rest of a model but its weights.

    Args:
        like: folder of a Llama with a tokenizer.
        folder: made.
    """
    folder.mkdir(parents=True)
    for file in like.iterdir():
        if file.suffix != ".safetensors" and file.name != MANIFEST:
            shutil.copy(file, folder)
    config = json.loads((like / "config.json").read_text(encoding="utf-8")) | SHAPES[shape]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder
