"""The shipped presets: each can be used as it is, and says where its facts come from."""

from __future__ import annotations

from typing import Any

import pytest

from serve_app.accounting.prices import PriceList
from serve_app.config.backend_settings import HostedBackend
from serve_app.config.providers import presets
from serve_app.config.shipped import shipped
from serve_app.config.structure import GatewayArgs

UNPRICED = {"siliconflow", "volcengine"}
"""Prices in other currencies only."""

NEED_ADDRESS = {"azure", "vllm"}
NEED_MODELS = {"ollama", "vllm"}

WANTED = {
    "openai", "azure", "deepseek", "qwen", "qwen-intl", "moonshot", "zhipu", "mistral", "groq",
    "together", "openrouter", "ollama", "vllm", "anthropic", "gemini",
}  # fmt: skip


def settings(name: str) -> dict[str, Any]:
    given: dict[str, Any] = {"provider": name}
    if name in NEED_ADDRESS:
        given["base_url"] = "https://own.test/v1"
    if name in NEED_MODELS:
        given["models"] = [{"id": "own", "context": 4096}]
    return given


def test_every_wanted_provider_is_there() -> None:
    assert presets().keys() >= WANTED


@pytest.mark.parametrize("name", presets())
def test_a_preset_is_a_whole_backend(name: str) -> None:
    backend = HostedBackend.model_validate(settings(name))
    assert backend.name == name
    assert backend.base_url
    assert presets()[name]["source"].startswith("https://")
    assert len({model.id for model in backend.models}) == len(backend.models)


@pytest.mark.parametrize("name", presets())
def test_what_was_filled_in_stays_as_it_is(name: str) -> None:
    args = GatewayArgs.model_validate({"backends": [settings(name)]})
    dumped = args.model_dump()
    again = GatewayArgs.model_validate(dumped)
    assert again == args
    assert again.model_dump() == dumped
    assert GatewayArgs.model_validate_json(args.model_dump_json()) == args


@pytest.mark.parametrize("name", sorted(presets().keys() - UNPRICED - NEED_MODELS))
def test_every_model_has_a_price(name: str) -> None:
    prices = PriceList.load(shipped("prices.yaml"))
    missing = [m["id"] for m in presets()[name]["models"] if prices.price(m["id"]) is None]
    assert missing == []


@pytest.mark.parametrize("name", sorted(presets().keys() - NEED_MODELS))
def test_limits_and_capabilities_are_plausible(name: str) -> None:
    quirks = presets()[name].get("quirks", {})
    for model in HostedBackend.model_validate(settings(name)).models:
        assert (model.max_output or 1) <= model.context
        if model.kind == "embedding":
            assert not model.capabilities
        if "prefix" in model.capabilities:  # it must be known how to hand one over
            assert quirks.get("prefix", "none") != "none"


def test_dialects_carry_their_key_where_they_want_it() -> None:
    assert HostedBackend.model_validate(settings("anthropic")).quirks.auth == "x-api-key"
    assert HostedBackend.model_validate(settings("gemini")).quirks.auth == "x-goog-api-key"
    assert HostedBackend.model_validate(settings("azure")).quirks.auth == "api-key"
    assert HostedBackend.model_validate(settings("openai")).quirks.auth == "bearer"
