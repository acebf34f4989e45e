"""A policy change under load: it takes effect, and no request is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from instances import Instance
from provider.fixtures import ScriptedProvider
from test_failures import Load, under_load

pytestmark = [pytest.mark.graph, pytest.mark.timeout(700)]


def deployments(gateway: Instance) -> list[str]:
    document = yaml.safe_load(Path(gateway.config).read_text(encoding="utf-8"))
    [app] = [app for app in document["applications"] if app["name"] == "gateway"]
    return [deployment["name"] for deployment in app["deployments"]]


async def test_a_changed_policy_is_taken_up_and_nobody_notices(
    gateway: Instance, provider: ScriptedProvider
) -> None:
    overlay = gateway.overlays[-1]
    before = overlay.read_text(encoding="utf-8")
    changed = yaml.safe_load(before)
    changed["applications"][0]["deployments"] = [
        {"name": name, "user_config": {"routing": {"aliases": {"quick": "cheap"}}}}
        for name in deployments(gateway)
    ]

    async def harm(load: Load) -> None:
        overlay.write_text(yaml.safe_dump(changed), encoding="utf-8")
        done = gateway.run("reload")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert "quick" in [model["id"] for model in gateway.get("/v1/models")["data"]]
        changed["applications"][0]["deployments"][0]["user_config"]["routing"] = {"cheap": ["no/x"]}
        overlay.write_text(yaml.safe_dump(changed), encoding="utf-8")
        assert gateway.run("reload").returncode != 0
        assert "quick" in [model["id"] for model in gateway.get("/v1/models")["data"]]

    try:
        load = await under_load(gateway, "cheap", harm)
        assert set(load.ends) == {"right"}
    finally:
        overlay.write_text(before, encoding="utf-8")
        assert gateway.run("reload").returncode == 0
