"""From GGUF to a Hugging Face folder, read back by the libraries that will read it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_model import LAYERS, TEMPLATE, TinyModel
from transformers import AutoConfig, AutoTokenizer

from serve_app.models.llama_gguf import convert

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "ffn_down": "mlp.down_proj",
}


@pytest.fixture(scope="module")
def shares() -> list[float]:
    return []


@pytest.fixture(scope="module")
def folder(
    tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory, shares: list[float]
) -> Path:
    made = tmp_path_factory.mktemp("hf")
    convert(tiny_model.path, made, {"temperature": 0.2}, shares.append)
    return made


@pytest.fixture(scope="module")
def tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def test_progress_counts_up_to_the_whole(folder: Path, shares: list[float]) -> None:
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_weights_are_bfloat16_under_hugging_face_names(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    assert len(weights) == 2 + 9 * LAYERS
    assert {w.dtype for w in weights.values()} == {torch.bfloat16}
    assert "lm_head.weight" not in weights  # tied to the embedding


@pytest.mark.parametrize("part", NAMES)
def test_rows_are_back_in_hugging_face_order(
    folder: Path, tiny_model: TinyModel, part: str
) -> None:
    weights = load_file(folder / "model.safetensors")
    found = weights[f"model.layers.1.{NAMES[part]}.weight"].float().numpy()
    # Q8_0 and bfloat16 each round by less than a hundredth of the largest value of a block.
    np.testing.assert_allclose(found, tiny_model.weights[f"blk.1.{part}"], atol=0.05)


def test_configuration_is_what_transformers_expects(folder: Path) -> None:
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    assert (config.model_type, config.num_hidden_layers) == ("llama", LAYERS)
    assert (config.num_attention_heads, config.num_key_value_heads) == (4, 2)
    assert config.rope_parameters["rope_theta"] == 10000.0
    assert config.tie_word_embeddings is True
    assert not hasattr(config, "quantization_config")


def test_generation_defaults_and_token_ids(folder: Path) -> None:
    generation = json.loads((folder / "generation_config.json").read_bytes())
    assert generation == {
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "temperature": 0.2,
    }


def test_merges_apply(tokenizer: Any) -> None:
    assert tokenizer.tokenize("ab ab") == ["ab", "Ġab"]


def test_digits_stay_apart_even_where_a_merge_would_join_them(tokenizer: Any) -> None:
    assert tokenizer.tokenize("a12") == ["a", "1", "2"]


def test_special_tokens_are_whole_and_text_comes_back(tokenizer: Any) -> None:
    ids = tokenizer("<|im_start|>ab 12<|im_end|>")["input_ids"]
    assert (ids[0], ids[-1]) == (1, 2)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ab 12"
    assert tokenizer.eos_token == "<|im_end|>"


def test_chat_template_is_the_file_s(tokenizer: Any) -> None:
    assert tokenizer.chat_template == TEMPLATE
    messages = [{"role": "user", "content": "ab"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == "user: ab"
