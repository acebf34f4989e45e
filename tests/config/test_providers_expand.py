"""Filling in a backend from a preset: what is given wins, what is missing is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from serve_app.config.backend_settings import HostedBackend
from serve_app.config.load import load
from serve_app.config.marked import ConfigError
from serve_app.config.providers import presets
from serve_app.config.structure import GatewayArgs

MODELS = [{"id": "m", "context": 1000}]


def backend(**given: Any) -> HostedBackend:
    args = GatewayArgs.model_validate({"backends": [given]})
    (found,) = args.backends
    assert isinstance(found, HostedBackend)
    return found


def problem(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        backend(**given)
    (error,) = caught.value.errors()
    return str(error["msg"])


def test_a_provider_alone_is_enough() -> None:
    found = backend(provider="anthropic")
    assert (found.name, found.kind) == ("anthropic", "anthropic")
    assert found.base_url == "https://api.anthropic.com/v1"
    assert found.api_key_env == ["ANTHROPIC_API_KEY"]
    assert [m.id for m in found.models] == [m["id"] for m in presets()["anthropic"]["models"]]


def test_what_is_given_wins() -> None:
    found = backend(
        name="mine",
        provider="deepseek",
        base_url="https://proxy.test/v1",
        api_key_env="MINE",
        quirks={"prefix": "none", "drop": ["user"]},
        timeouts={"connect_s": 1.0},
    )
    assert (found.name, found.base_url, found.api_key_env) == (
        "mine",
        "https://proxy.test/v1",
        ["MINE"],
    )
    assert (found.quirks.prefix, found.quirks.drop) == ("none", ["user"])
    assert found.quirks.rename == {"max_completion_tokens": "max_tokens"}
    assert found.timeouts.connect_s == 1.0


def test_no_key_can_be_chosen() -> None:
    assert backend(provider="openai", api_key_env=[]).api_key_env == []


def test_models_by_name_with_more_and_of_ones_own() -> None:
    found = backend(
        provider="openai",
        models=[
            "gpt-5-mini",
            {"id": "gpt-4o", "context": 64_000},
            {"id": "gpt-new", "context": 5},
        ],
    ).models
    assert [(m.id, m.context) for m in found] == [
        ("gpt-5-mini", 400_000),
        ("gpt-4o", 64_000),
        ("gpt-new", 5),
    ]
    assert "logprobs" in found[1].capabilities
    assert found[2].capabilities == []


def test_presets_are_not_changed_by_use() -> None:
    before = repr(presets()["openai"])
    backend(
        provider="openai", models=[{"id": "gpt-4o", "capabilities": []}], quirks={"drop": ["n"]}
    )
    assert repr(presets()["openai"]) == before


def test_what_was_given_is_not_changed() -> None:
    given = {"backends": [{"provider": "gemini"}]}
    GatewayArgs.model_validate(given)
    assert given == {"backends": [{"provider": "gemini"}]}


def test_without_a_provider_nothing_is_filled_in_but_the_dialects_key_header() -> None:
    plain = {"name": "own", "base_url": "http://own.test/v1", "models": MODELS}
    assert backend(**plain).kind == "openai"
    assert backend(**plain).quirks.auth == "bearer"
    assert backend(**plain, kind="anthropic").quirks.auth == "x-api-key"
    assert backend(**plain, kind="gemini").quirks.auth == "x-goog-api-key"
    assert backend(**plain, kind="gemini", quirks={"auth": "bearer"}).quirks.auth == "bearer"


def test_an_unknown_provider_is_named_with_what_there_is() -> None:
    said = problem(provider="opnai")
    assert said.startswith("Value error, provider: 'opnai' has no preset (there are: openai, azure")


def test_an_unknown_model_needs_its_context() -> None:
    said = problem(provider="groq", models=["openai/gpt-oss-20b", "llama-5"])
    assert "models[1]: 'llama-5' is no model of the preset 'groq' (it has: openai/gpt-oss" in said
    assert "give its `context`" in said
    assert "it lists none" in problem(provider="ollama", models=["llama3.2"])


def test_what_only_you_can_know_is_asked_for() -> None:
    assert "base_url: is missing; for 'azure' such as https://NAME.openai" in problem(
        provider="azure"
    )
    assert "models: is missing; 'ollama' has no list of its own" in problem(provider="ollama")


@pytest.mark.parametrize(
    "given",
    [
        {"provider": 7},
        {"provider": "openai", "models": "gpt-5"},
        {"provider": "openai", "models": [7]},
        {"provider": "openai", "models": [{"id": 7}]},
        {"provider": "openai", "quirks": "none"},
        {"provider": "openai", "quirks": {"prefx": "none"}},
        {"provider": "openai", "kind": "soap"},
        {"name": "x", "base_url": "http://x.test", "models": ["gpt-5"]},
        7,
    ],
)
def test_nonsense_is_refused_as_such(given: Any) -> None:
    with pytest.raises(ValidationError):
        GatewayArgs.model_validate({"backends": [given]})


FILE = """\
applications:
  - name: gateway
    route_prefix: /
    import_path: serve_app.graph:build_gateway
    args:
      backends:
        - provider: openai
          models: [gpt-5-mini]
        - name: claude
          provider: anthropic
          models:
            - claude-haiku-5-5
    deployments:
      - name: Gateway
        user_config: {routing: {default: [openai/gpt-5-mini]}}
"""


def test_a_file_with_providers(tmp_path: Path) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(FILE)
    deployment = load(path, environ={})
    assert [b.name for b in deployment.gateways[0].args.backends] == ["openai", "claude"]
    assert [b.kind for b in deployment.gateways[0].args.backends] == ["openai", "anthropic"]
    assert deployment.document["applications"][0]["args"]["backends"][0] == {
        "provider": "openai",
        "models": ["gpt-5-mini"],
    }


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("provider: openai", "provider: opnai", ":7: applications[0].args.backends[0]: provider:"),
        ("[gpt-5-mini]", "[gpt-5-midi]", ":7: applications[0].args.backends[0]: models[0]:"),
        (
            "provider: anthropic",
            "provider: azure",
            ":9: applications[0].args.backends[1]: base_url",
        ),
        (
            "- claude-haiku-5-5",
            "- {id: claude-haiku-5-5, contxt: 5}",
            ":12: applications[0].args.backends[1].models[0].contxt: is not a known key",
        ),
    ],
)
def test_a_mistake_is_found_on_its_line(tmp_path: Path, old: str, new: str, found: str) -> None:
    path = tmp_path / "providers.yaml"
    path.write_text(FILE.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        load(path, environ={})
    assert any(p.startswith(f"{path}{found}") for p in caught.value.problems), caught.value.problems
