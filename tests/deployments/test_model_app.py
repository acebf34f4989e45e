"""The model's application, as Serve would get it; no cluster is needed to build one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from serve_app.config.model_args import ModelArgs
from serve_app.deployments.model_app import build_model
from serve_app.deployments.problem import Problem


def deployment(**fields: Any) -> Any:
    """The one deployment of the application."""
    return build_model(ModelArgs.model_validate(fields))._bound_deployment


def test_the_deployment_has_the_name_that_handles_ask_for() -> None:
    assert deployment(deployment="Small", device="cpu").name == "Small"


@pytest.mark.parametrize(("cpus", "reserved"), [(0.5, 0.5), (0, 0.01)])
def test_a_cpu_model_reserves_its_share_once(cpus: float, reserved: float) -> None:
    made = deployment(device="cpu", cpus=cpus)
    config = made._replica_config
    assert config.placement_group_bundles == [{"CPU": reserved}]
    assert config.ray_actor_options["num_cpus"] == reserved


def test_a_gpu_model_has_one_bundle_a_gpu() -> None:
    config = deployment(device="gpu", cpus=2, tensor_parallel=3)._replica_config
    assert config.placement_group_bundles == [{"CPU": 2, "GPU": 1}, {"GPU": 1}, {"GPU": 1}]


def test_requests_are_bounded_in_the_replica_and_before_it() -> None:
    made = deployment(device="cpu", max_running=4)
    assert (made.max_ongoing_requests, made.max_queued_requests) == (32, 32)


def test_it_scales_by_running_requests_when_it_may() -> None:
    made = deployment(device="cpu", min_replicas=1, max_replicas=3, target_running=6)
    scaling = made._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 3)
    assert scaling.target_ongoing_requests == 6


def test_a_fixed_number_of_replicas_does_not_scale() -> None:
    made = deployment(device="cpu", min_replicas=2, max_replicas=2)
    assert made.num_replicas == 2
    assert made._deployment_config.autoscaling_config is None


def test_building_does_not_import_vllm() -> None:
    code = (
        "import sys\n"
        "from serve_app.config.model_args import ModelArgs\n"
        "from serve_app.deployments.model_app import build_model\n"
        "build_model(ModelArgs(device='cpu'))\n"
        "heavy = {'vllm', 'torch', 'transformers', 'ray.serve.llm'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=60, check=False, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (503, "server_error")]
)
def test_a_problem_is_openai_s_error_with_a_status(status: int, kind: str) -> None:
    body = Problem('no "x"', status=status, code="c", param="p").body()
    assert body == (
        b'{"error":{"message":"no \\"x\\"","type":"%s","param":"p","code":"c","status":%d}}'
        % (kind.encode(), status)
    )
