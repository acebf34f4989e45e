"""`LLM.generate` on rows, in a process of its own; the last line is JSON with its tokens/s."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

from benchmarks.offline import PROMPT
from serve_app.batch import engines
from serve_app.batch.order import Order


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--tokens", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--model", default=engines.EMBEDDED)
    parser.add_argument("--engine", type=json.loads, default={})
    options = parser.parse_args()
    order = Order(
        input="", output="", via="vllm", model=options.model, concurrency=options.at_once,
        max_tokens=options.tokens, params={"ignore_eos": True}, device=options.device,
        engine=options.engine,
    )  # fmt: skip
    plan = engines.plan(order, cluster_gpus=0)
    os.environ.update(plan.config["runtime_env"]["env_vars"])
    lines = options.rows.read_text(encoding="utf-8").splitlines()
    prompts = [PROMPT.format(**json.loads(line)) for line in lines]
    print(json.dumps({"tokens_per_s": _measured(plan, prompts)}))


def _measured(plan: engines.Engines, prompts: list[str]) -> float:
    # Here, not above: vLLM reads its environment when it is imported.
    from vllm import LLM, SamplingParams

    llm = LLM(model=plan.config["model_source"], **plan.config["engine_kwargs"])
    tokenizer = llm.get_tokenizer()
    texts = [_rendered(tokenizer, prompt) for prompt in prompts]
    sampling = SamplingParams(**plan.sampling)
    began = time.perf_counter()
    outputs = llm.generate(texts, sampling)
    seconds = time.perf_counter() - began
    return sum(len(output.outputs[0].token_ids) for output in outputs) / seconds


def _rendered(tokenizer: Any, prompt: str) -> str:
    messages = [{"role": "user", "content": prompt}]
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return text


if __name__ == "__main__":
    main()
