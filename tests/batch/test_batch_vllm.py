"""A batch straight on a vLLM engine, through `ray.data.llm`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from batch_world import read_jsonl, write_jsonl
from devices import DEVICES

from serve_app.models.embedded import location, prepare

TOKENS = 8


@pytest.mark.graph
@pytest.mark.model
@pytest.mark.timeout(600)
@pytest.mark.parametrize("device", DEVICES)
def test_rows_are_answered_by_an_engine_and_a_row_too_long_for_it_is_an_error(
    tmp_path: Path, device: str
) -> None:
    model = prepare(location(Path.home() / ".cache" / "serve-app-tests"), lambda stage, done: None)
    texts = ["What is the capital of France?", "word " * 3000, "Name a colour."]
    given = write_jsonl(tmp_path / "in.jsonl", [{"prompt": text} for text in texts])
    output = tmp_path / "out.jsonl"
    ran = subprocess.run(
        [
            sys.executable, "-m", "serve_app.batch", "run", str(given), "-o", str(output),
            "--via", "vllm", "--model", str(model), "--device", device, "--concurrency", "4",
            "--engine", "max_model_len=512", "--max-tokens", str(TOKENS), "--json", "--quiet",
        ],
        env=os.environ | {"SERVE_APP_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    first, second, third = read_jsonl(output)
    assert "Paris" in first["response"]
    assert (first["error"], third["error"]) == (None, None)
    assert second["response"] is None
    assert "512" in second["error"]
    summary = json.loads(ran.stdout)
    assert summary["failed"] == 1
    assert 0 < summary["completion_tokens"] <= 2 * TOKENS
    assert summary["tokens_per_s"] > 0
