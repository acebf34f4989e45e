"""Preflight: one clear line for what is missing, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.cli.failure import Failure
from serve_app.cli.life import preflight
from serve_app.cli.life.machine import Gpu
from serve_app.config.deployment import Deployment
from serve_app.config.load import load

CONFIGS = Path(__file__).parents[2] / "configs"
NO_GPU = Gpu(present=False, works=False, detail="none")
DEAD_GPU = Gpu(present=True, works=False, detail="nvidia-smi does not answer")
GPU = Gpu(present=True, works=True, detail="NVIDIA L4, 23034 MiB")


def deployment(name: str = "personal", device: str | None = None) -> Deployment:
    return load(CONFIGS / f"{name}.yaml", environ={}, device=device)


@pytest.mark.parametrize(
    ("gpu", "vllm", "device", "says"),
    [
        (NO_GPU, "cpu", None, None),
        (GPU, "gpu", None, None),
        (GPU, "cpu", "cpu", None),
        (DEAD_GPU, "cpu", "cpu", None),
        (DEAD_GPU, "cpu", None, "its driver does not answer"),
        (NO_GPU, "gpu", "gpu", "wants a GPU"),
        (NO_GPU, None, None, r"pip install 'serve-app\[cpu\]'"),
        (GPU, None, None, r"pip install 'serve-app\[gpu\]'"),
        (GPU, "cpu", None, r"pip install 'serve-app\[gpu\]'"),
    ],
)
def test_what_keeps_a_local_model_from_running(
    gpu: Gpu, vllm: str | None, device: str | None, says: str | None
) -> None:
    problem = preflight.model_problem(deployment(device=device), gpu, vllm)
    if says is None:
        assert problem is None
    else:
        assert problem is not None
        with pytest.raises(Failure, match=says):
            raise problem


def test_memory_is_counted_with_the_model_and_without() -> None:
    with_model = preflight.needed_memory(deployment(), without_models=False)
    without = preflight.needed_memory(deployment(), without_models=True)
    assert with_model - without >= 2 << 30


def test_memory_grows_with_the_replicas() -> None:
    one = preflight.needed_memory(deployment("personal"), without_models=True)
    three = preflight.needed_memory(deployment("small-team"), without_models=True)
    assert three - one == 2 * preflight.REPLICA_MEMORY


def test_too_little_memory_names_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve_app.cli.life.machine.available_memory", lambda: 1 << 30)
    with pytest.raises(Failure, match=r"about 4\.2 GiB are needed and 1\.0 GiB are free") as caught:
        preflight.enough_memory(deployment(), without_models=False)
    assert caught.value.exit_code == 1


def test_a_redis_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(Failure) as caught:
        preflight.redis_answers("redis://user:hidden@127.0.0.1:1/0?password=hidden")
    assert "127.0.0.1:1/0" in caught.value.message
    assert "hidden" not in caught.value.message
    assert caught.value.exit_code == 1


def test_an_address_that_is_no_redis_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(Failure) as caught:
        preflight.redis_answers("http://127.0.0.1")
    assert caught.value.exit_code == 2
