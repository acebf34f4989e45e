"""The gateway's benchmark set-ups are ordinary Serve config files, and ask for equal work."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks import gateway
from benchmarks.install import RECIPES, Recipe, is_installed
from benchmarks.needs import Missing, advice
from benchmarks.places import HERE, MOCK_URL
from serve_app.config.backend_settings import HostedBackend
from serve_app.config.deployment import deployment_names
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs

FILES = sorted({file for file, _, _ in gateway.SETUPS.values()})


@pytest.mark.parametrize("file", FILES)
def test_setup_is_valid_and_configures_every_deployment(file: str) -> None:
    [app] = yaml.safe_load((HERE / "gateway" / file).read_text())["applications"]
    args = GatewayArgs.model_validate(app["args"])
    policies = [Policy.model_validate(d["user_config"]) for d in app["deployments"]]
    assert [d["name"] for d in app["deployments"]] == deployment_names(args)
    assert all(policy == policies[0] for policy in policies)
    [backend] = args.backends
    assert isinstance(backend, HostedBackend)
    assert backend.base_url == f"{MOCK_URL}/v1"


def test_more_replicas_change_only_their_number(tmp_path: Path) -> None:
    original = HERE / "gateway" / "deployed.yaml"
    copy = gateway.with_replicas(original, 2, tmp_path)
    before, after = (yaml.safe_load(p.read_text()) for p in (original, copy))
    assert after["applications"][0]["deployments"][0].pop("num_replicas") == 2
    assert before["applications"][0]["deployments"][0].pop("num_replicas") == 1
    assert before == after


def test_peer_installed_by_another_recipe_is_not_installed(tmp_path: Path) -> None:
    recipe = RECIPES[0]
    assert not is_installed(recipe, tmp_path)
    (tmp_path / recipe.name).mkdir()
    (tmp_path / recipe.name / "installed-by-recipe").write_text(recipe.identity)
    assert is_installed(recipe, tmp_path)
    assert not is_installed(Recipe(recipe.name, "another", recipe.build), tmp_path)


def test_advice_names_the_packages() -> None:
    lacking = [Missing("wrk", ("wrk",)), Missing("node and npm", ("nodejs", "npm"))]
    assert advice(lacking).endswith("apt-get install wrk nodejs npm")
