"""A two-layer Llama in GGUF, and a wheel around it that pip finds without a network."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from serve_app.models.wheel import Source

HIDDEN, HEADS, KV_HEADS, WIDE, LAYERS = 64, 4, 2, 96, 2

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = [*SPECIAL, *"abcdeh123456789", "Ġ", "ab", "Ġab", "12"]
MERGES = ["a b", "Ġ ab", "1 2"]
TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] }}{% endfor %}"


@dataclass(frozen=True)
class TinyModel:
    path: Path
    weights: dict[str, npt.NDArray[np.float32]]
    """As Hugging Face orders them, by GGUF's names."""


def interleaved(weight: npt.NDArray[np.float32], heads: int) -> npt.NDArray[np.float32]:
    """What llama.cpp's converter does to query and key weights."""
    rows, columns = weight.shape
    halves = weight.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def shapes() -> dict[str, tuple[int, ...]]:
    named: dict[str, tuple[int, ...]] = {
        "token_embd": (len(TOKENS), HIDDEN),
        "output_norm": (HIDDEN,),
    }
    for layer in range(LAYERS):
        named |= {
            f"blk.{layer}.attn_norm": (HIDDEN,),
            f"blk.{layer}.attn_q": (HIDDEN, HIDDEN),
            f"blk.{layer}.attn_k": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
            f"blk.{layer}.attn_v": (HIDDEN * KV_HEADS // HEADS, HIDDEN),
            f"blk.{layer}.attn_output": (HIDDEN, HIDDEN),
            f"blk.{layer}.ffn_norm": (HIDDEN,),
            f"blk.{layer}.ffn_gate": (WIDE, HIDDEN),
            f"blk.{layer}.ffn_up": (WIDE, HIDDEN),
            f"blk.{layer}.ffn_down": (HIDDEN, WIDE),
        }
    return named


def write_gguf(path: Path) -> dict[str, npt.NDArray[np.float32]]:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(WIDE)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_context_length(128)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(TOKENS) - len(SPECIAL)))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(1)
    weights = {}
    for name, shape in shapes().items():
        weights[name] = random.standard_normal(shape, dtype=np.float32)
        add(writer, name, weights[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def add(writer: gguf.GGUFWriter, name: str, weight: npt.NDArray[np.float32]) -> None:
    """Store a tensor as llama.cpp does: query and key interleaved, matrices quantized."""
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}.get(name.rpartition(".")[2])
    stored = interleaved(weight, heads) if heads else weight
    if stored.ndim == 1:
        writer.add_tensor(f"{name}.weight", stored)
        return
    kind = gguf.GGMLQuantizationType.Q8_0
    writer.add_tensor(f"{name}.weight", gguf.quantize(stored, kind), raw_dtype=kind)


def write_wheel(folder: Path, content: bytes, *, licence: bool = True) -> None:
    """A wheel `tiny-model 1.0` with one data file."""
    info = "tiny_model-1.0.dist-info"
    files = {
        "tiny_model/tiny.gguf": content,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        b"Requires-Dist: a-package-that-does-not-exist\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    if licence:
        files[f"{info}/LICENSE"] = b"Apache License 2.0"
    record = "".join(f"{name},{record_digest(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(folder / "tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in files.items():
            wheel.writestr(name, data)


def record_digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def source_of(content: bytes) -> Source:
    return Source("tiny-model", "1.0", "tiny_model/tiny.gguf", hashlib.sha256(content).hexdigest())
