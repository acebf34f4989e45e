"""Presets of providers: what a backend's settings leave open is filled in from providers.yaml."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from serve_app.config.shipped import shipped

_AUTH = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}
"""Header of the key by dialect, where neither the settings nor a preset name one."""

_FILLED = ("kind", "base_url", "api_key_env")


@cache
def presets() -> dict[str, dict[str, Any]]:
    """Every preset by name, as the file has it. Do not change what you get."""
    content: dict[str, dict[str, Any]] = yaml.safe_load(shipped("providers.yaml").read_bytes())
    return content["providers"]


def kind_of(backend: dict[str, Any]) -> str:
    """The dialect of settings that may not say it: their preset's, else OpenAI's."""
    preset = presets().get(str(backend.get("provider")), {})
    return str(backend.get("kind") or preset.get("kind") or "openai")


def expand(backend: dict[str, Any]) -> dict[str, Any]:
    """A hosted backend's settings with everything that its preset knows. What is there already
    stays; expanding twice is expanding once.

    Raises:
        ValueError: unknown provider or model, or something that only you can know is missing.
    """
    provider = backend.get("provider")
    preset = {} if provider is None else _preset(provider)
    filled = {**{name: preset[name] for name in _FILLED if name in preset}, **backend}
    filled["kind"] = kind_of(backend)
    if provider is not None:
        filled.setdefault("name", provider)
        if "base_url" not in filled:
            raise ValueError(f"base_url: is missing; for {provider!r} such as {preset['example']}")
        filled["models"] = _models(provider, backend.get("models"), preset["models"])
    filled["quirks"] = _quirks(filled["kind"], preset.get("quirks", {}), backend.get("quirks"))
    return filled


def _preset(provider: object) -> dict[str, Any]:
    known = presets()
    if not isinstance(provider, str) or provider not in known:
        raise ValueError(f"provider: {provider!r} has no preset (there are: {', '.join(known)})")
    return known[provider]


def _quirks(kind: str, preset: dict[str, Any], given: object) -> Any:
    """Key by key; those that are no mapping are left for the check to refuse."""
    if given is not None and not isinstance(given, dict):
        return given
    auth = {"auth": _AUTH[kind]} if kind in _AUTH else {}
    return {**auth, **preset, **(given or {})}


def _models(provider: str, given: object, preset: list[dict[str, Any]]) -> Any:
    """All of the preset, or those that are named; more is said of one in a mapping."""
    if given is None:
        if not preset:
            raise ValueError(f"models: is missing; {provider!r} has no list of its own")
        return preset
    if not isinstance(given, list):
        return given
    known = {model["id"]: model for model in preset}
    return [_model(f"models[{at}]", provider, model, known) for at, model in enumerate(given)]


def _model(where: str, provider: str, given: object, known: dict[str, dict[str, Any]]) -> Any:
    named = {"id": given} if isinstance(given, str) else given
    if not isinstance(named, dict) or not isinstance(named.get("id"), str):
        return given
    if named["id"] in known:
        return {**known[named["id"]], **named}
    if "context" not in named:
        there = f"it has: {', '.join(known)}" if known else "it lists none"
        raise ValueError(
            f"{where}: {named['id']!r} is no model of the preset {provider!r} ({there}); "
            "give its `context`"
        )
    return named
