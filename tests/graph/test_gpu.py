"""The local model on a GPU, behind the whole graph; only where there is one."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from devices import on_gpu
from instances import Instance, folder, share_model
from openai import OpenAI

pytestmark = [pytest.mark.graph, pytest.mark.model, pytest.mark.timeout(700), on_gpu]


@pytest.fixture(scope="module")
def on_a_gpu() -> Iterator[Instance]:
    """configs/personal.yaml without any key: `auto` finds the GPU, and nobody else answers."""
    instance = Instance(folder("g"), "configs/personal.yaml", [], {})
    share_model(instance)
    try:
        yield instance.up()
    finally:
        instance.remove()


@pytest.fixture
def client(on_a_gpu: Instance) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{on_a_gpu.url}/v1", api_key="none", max_retries=0, timeout=60) as made:
        yield made


def test_the_model_answers_from_the_gpu(client: OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="local",
        messages=[{"role": "user", "content": "What is the capital of France?"}],
        temperature=0,  # type: ignore[arg-type]
    )
    assert "Paris" in (answer.parse().choices[0].message.content or "")
    assert answer.headers["x-serve-app-backend"] == "local"
    assert processes_on_the_gpu(), "its engine holds memory of the GPU"


def test_it_streams_and_counts_its_tokens(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="local",
        messages=[{"role": "user", "content": "Count from 1 to 5."}],
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=40,
    )
    *pieces, last = list(stream)
    assert sum(bool(piece.choices[0].delta.content) for piece in pieces if piece.choices) > 3
    assert last.usage is not None
    assert 0 < last.usage.completion_tokens <= 40


def test_many_at_once_share_the_engine(client: OpenAI) -> None:
    def ask(number: int) -> str:
        answer = client.chat.completions.create(
            model="auto",
            messages=[{"role": "user", "content": f"Write a few sentences about {number} apples."}],
            max_tokens=60,
        )
        return answer.choices[0].message.content or ""

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(ask, range(24)))
    assert all(answers)
    assert len(set(answers)) > 20


def processes_on_the_gpu() -> list[str]:
    smi = shutil.which("nvidia-smi")
    assert smi is not None
    command = [smi, "--query-compute-apps=pid", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
