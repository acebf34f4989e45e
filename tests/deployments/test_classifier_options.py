"""The classifier's application, as Serve would get it; no cluster is needed to build one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.config.model_args import ClassifierArgs
from serve_app.deployments.classifier_app import build_classifier


def deployment(**fields: Any) -> Any:
    """The one deployment of the application."""
    return build_classifier(ClassifierArgs(path="some/model", **fields))._bound_deployment


def test_a_share_of_a_gpu_is_reserved_only_on_a_gpu() -> None:
    on_cpu = deployment(device="cpu", cpus=2)._replica_config.ray_actor_options
    assert on_cpu["num_cpus"] == 2
    assert "num_gpus" not in on_cpu
    assert deployment(device="gpu", gpus=0.5)._replica_config.ray_actor_options["num_gpus"] == 0.5


def test_calls_are_bounded_in_the_replica_and_before_it() -> None:
    made = deployment()
    assert (made.max_ongoing_requests, made.max_queued_requests) == (64, 64)


def test_it_scales_by_calls_when_it_may() -> None:
    made = deployment(min_replicas=1, max_replicas=3, target_ongoing=6)
    scaling = made._deployment_config.autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas) == (1, 3)
    assert scaling.target_ongoing_requests == 6
    assert deployment(min_replicas=2, max_replicas=2).num_replicas == 2


@pytest.mark.parametrize("fields", [{"gpus": 0}, {"window_tokens": 8}, {"max_batch": 0}])
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        deployment(**fields)


def test_building_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from serve_app.config.model_args import ClassifierArgs\n"
        "from serve_app.deployments.classifier_app import build_classifier\n"
        "from serve_app.deployments.classifier_hop import classifier_app\n"
        "build_classifier(ClassifierArgs(path='m', device='cpu')), classifier_app('a')\n"
        "sys.exit(', '.join({'torch', 'transformers'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], timeout=60, check=False, stderr=subprocess.PIPE
    )
    assert done.returncode == 0, done.stderr.decode()
