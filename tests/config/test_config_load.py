"""Loading: overrides, views, and errors that lead to the line at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from serve_app.config.load import load
from serve_app.config.marked import ConfigError

GOOD = """\
http_options: {host: 127.0.0.1, port: 8000}
applications:
  - name: gateway
    route_prefix: /
    import_path: serve_app.graph:build_gateway
    args:
      placement: {filter: deployed}
      backends:
        - name: one
          base_url: http://one.test/v1
          api_key_env: ONE_KEY
          models: [{id: m, context: 1000}]
        - name: two
          base_url: http://two.test/v1
          models: [{id: m, context: 1000}]
        - name: local
          kind: local
          app: model
          tokenizer: embedded
          models: [{id: s, context: 2048}]
    deployments:
      - name: Gateway
        user_config: &policy
          routing: {default: [one/m]}
      - name: Filter
        user_config: *policy
  - name: model
    route_prefix: null
    import_path: serve_app.deployments.model_app:build_model
    args: {model_id: s}
"""


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.yaml"
    path.write_text(GOOD)
    return path


def test_views_are_typed(good: Path) -> None:
    deployment = load(good, environ={})
    assert deployment.gateways[0].policy.routing.default == ["one/m"]
    assert deployment.gateways[0].args.placement.filter == "deployed"
    assert deployment.models[0].args.model_id == "s"
    assert (deployment.host, deployment.port) == ("127.0.0.1", 8000)
    assert deployment.address == "http://127.0.0.1:8000"


def test_the_document_is_what_the_file_says(good: Path) -> None:
    document = load(good, environ={}).document
    assert document["applications"][1]["args"] == {"model_id": "s"}
    assert "kind" not in document["applications"][0]["args"]["backends"][0]


def test_port_and_device_win_over_the_file(good: Path) -> None:
    deployment = load(good, environ={}, port=9123, device="cpu")
    assert deployment.port == deployment.document["http_options"]["port"] == 9123
    assert deployment.models[0].args.device == "cpu"
    assert deployment.document["applications"][1]["args"]["device"] == "cpu"


def test_the_environments_redis_wins(good: Path) -> None:
    assert load(good, environ={}).redis_url == "embedded"
    environ = {"SERVE_APP_REDIS_URL": "redis://elsewhere:1"}
    assert load(good, environ=environ).redis_url == "redis://elsewhere:1"


def test_backends_are_on_if_their_key_is_there_or_none_is_named(good: Path) -> None:
    deployment = load(good, environ={})
    assert deployment.hosted_with_key({}) == ["two"]
    assert deployment.missing_keys({}) == {"one": "ONE_KEY"}
    assert deployment.hosted_with_key({"ONE_KEY": "k"}) == ["one", "two"]


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "base_url: http://two.test/v1",
            "base_url: two.test/v1",
            ":14: applications[0].args.backends[1].base_url: String should match pattern",
        ),
        (
            "context: 2048",
            "contxt: 2048",
            ":20: applications[0].args.backends[2].models[0].",
        ),
        ("app: model", "app: modell", ":18: applications[0].args.backends[2].app: 'modell' is no"),
        (
            "{default: [one/m]}",
            "{defualt: [one/m]}",
            ":24: applications[0].deployments[0].user_config.routing.defualt: is not a known key",
        ),
        ("- name: Filter", "- name: Filtr", ":25: applications[0].deployments[1].name: 'Filtr'"),
        ("user_config: *policy", "user_config: {version: x}", ":26: "),
        ("port: 8000", "port: many", ":1: http_options.port: must be a port number, got 'many'"),
        ("http_options:", "http_optoins:", ":1: http_optoins: is not a key of a Serve file"),
        ("name: model\n", "name: gateway\n", ":27: applications[1].name: 'gateway' is there twice"),
        ("args: {model_id: s}", "args: {model_id: s, kv_cache_gib: 0}", ":30: "),
    ],
)
def test_a_mistake_is_found_on_its_line(good: Path, old: str, new: str, problem: str) -> None:
    path = good
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert any(p.startswith(f"{path}{problem}") for p in caught.value.problems), (
        caught.value.problems
    )


def test_every_mistake_is_reported_at_once(good: Path) -> None:
    good.write_text(GOOD.replace("port: 8000", "port: 0").replace("context: 2048", "context: 0"))
    with pytest.raises(ConfigError) as caught:
        load(good, environ={})
    assert len(caught.value.problems) == 2


def test_a_deployment_that_is_not_listed_is_missed(good: Path) -> None:
    text = GOOD.replace("      - name: Filter\n        user_config: *policy\n", "")
    good.write_text(text)
    with pytest.raises(ConfigError, match="must list Filter with the policy"):
        load(good, environ={})


def test_a_secret_pasted_in_place_of_its_hash_is_not_repeated(good: Path) -> None:
    admission = "{default: [one/m]}\n          admission: {keys: [{sha256: sk-secret, tenant: t}]}"
    good.write_text(GOOD.replace("{default: [one/m]}", admission))
    with pytest.raises(ConfigError) as caught:
        load(good, environ={})
    assert "sha256" in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_an_overlays_mistake_is_reported_in_the_overlay(good: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("applications:\n  - name: model\n    args:\n      context: -5\n")
    with pytest.raises(ConfigError) as caught:
        load(good, (overlay,), environ={})
    assert caught.value.problems[0].startswith(f"{overlay}:4: applications[1].args.context:")
