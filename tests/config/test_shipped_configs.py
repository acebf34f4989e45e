"""The configurations that we ship are good: for us, for Serve, and for Ray's cluster launcher."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serve_app.config.deployment import Deployment
from serve_app.config.load import load

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
PROFILES = ["personal", "small-team", "enterprise", "large-scale"]
SMALL = CONFIGS / "overlays" / "small-machine.yaml"


def profile(name: str, *overlays: Path) -> Deployment:
    return load(CONFIGS / f"{name}.yaml", overlays, environ={})


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_valid_and_says_its_name(name: str) -> None:
    assert profile(name).gateways[0].args.profile == name


def in_a_process_with_ray(code: str, *arguments: str, folder: Path) -> str:
    """Ray and its schema stay out of the test process: importing them warns and is slow."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_serve_accepts_every_profile(tmp_path: Path) -> None:
    documents = [profile(name).document for name in PROFILES]
    documents.append(profile("enterprise", SMALL).document)
    (tmp_path / "documents.json").write_text(json.dumps(documents))
    check = (
        "import json\n"
        "from ray.serve.schema import ServeDeploySchema\n"
        "for document in json.load(open('documents.json')):\n"
        "    accepted = ServeDeploySchema.model_validate(document)\n"
        "    print(*(app.name for app in accepted.applications))\n"
    )
    accepted = in_a_process_with_ray(check, folder=tmp_path).splitlines()
    assert accepted == [" ".join(a["name"] for a in d["applications"]) for d in documents]


@pytest.mark.parametrize("name", PROFILES)
def test_every_routed_model_is_configured(name: str) -> None:
    app = profile(name).gateways[0]
    known = {f"{b.name}/{m.id}" for b in app.args.backends for m in b.models}
    routing = app.policy.routing
    assert {*routing.cheap, *routing.default, *routing.strong, *routing.local} <= known
    assert routing.local


@pytest.mark.parametrize("name", PROFILES)
def test_a_local_backend_offers_what_its_application_serves(name: str) -> None:
    deployment = profile(name)
    served = {m.name: (m.args.model_id, m.args.context) for m in deployment.models}
    local = [b for b in deployment.gateways[0].args.backends if b.kind == "local"]
    assert {b.app: (b.models[0].id, b.models[0].context) for b in local} == served


def test_the_enterprise_stages_are_deployments_of_their_own() -> None:
    placement = profile("enterprise").gateways[0].args.placement
    assert {*placement.model_dump().values()} == {"deployed"}
    deployments = profile("enterprise").document["applications"][0]["deployments"]
    assert len(deployments) == 10
    assert all(d["autoscaling_config"]["max_replicas"] > 1 for d in deployments)


def test_the_overlay_fits_a_machine_with_two_cores_and_keeps_the_graph() -> None:
    small = profile("enterprise", SMALL)
    deployments = small.document["applications"][0]["deployments"]
    cpus = sum(d["ray_actor_options"]["num_cpus"] for d in deployments) + small.models[0].args.cpus
    assert cpus <= 2
    assert all(d["autoscaling_config"]["max_replicas"] == 1 for d in deployments)
    assert small.gateways[0].args.placement == profile("enterprise").gateways[0].args.placement
    assert small.models[0].args.device == "cpu"
    assert small.redis_url == "embedded"


def test_the_overlaid_enterprise_answers_like_personal() -> None:
    small, personal = profile("enterprise", SMALL).gateways[0], profile("personal").gateways[0]
    assert small.policy == personal.policy
    assert small.args.backends == personal.args.backends


def test_ray_up_accepts_the_cluster_file(tmp_path: Path) -> None:
    check = (
        "import json, sys, yaml\n"
        "from ray.autoscaler._private.util import prepare_config, validate_config\n"
        "config = prepare_config(yaml.safe_load(open(sys.argv[1])))\n"
        "validate_config(config)\n"
        "print(json.dumps(config['available_node_types']))\n"
    )
    # Outside Ray's own folder, where its validator would find other files.
    said = in_a_process_with_ray(check, str(ROOT / "cluster.yaml"), folder=tmp_path)
    types = json.loads(said.splitlines()[-1])
    assert types["head"]["resources"]["CPU"] == 0
    assert types["gpu_worker"]["resources"]["GPU"] == 1
    assert all(t["max_workers"] > 0 for name, t in types.items() if name != "head")


def test_every_node_of_the_cluster_gets_the_same_environment() -> None:
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    head, worker = (
        set(re.findall(r"(RAY_\w+=[^;\s]+)", " ".join(cluster[f"{node}_start_ray_commands"])))
        for node in ("head", "worker")
    )
    assert head == worker
    assert {"RAY_SERVE_ENABLE_HA_PROXY=1", "RAY_SERVE_THROUGHPUT_OPTIMIZED=1"} <= head
