"""What OpenTelemetry calls the providers of our presets.

Source: OpenTelemetry semantic conventions 1.44, registry of `gen_ai.provider.name`
(opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai). Where it has no name, a preset's
own is used, as the convention says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from serve_app.config.backend_settings import HostedBackend, LocalBackend

_NAMES: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
"""Presets that have another name there; `openai`, `anthropic`, `deepseek`, `groq` and
`perplexity` are called the same."""


def provider_names(backends: Iterable[HostedBackend | LocalBackend]) -> dict[str, str]:
    """By backend, the provider: of its preset; without one, `vllm` or the backend's own name."""
    return {backend.name: _provider(backend) for backend in backends}


def _provider(backend: HostedBackend | LocalBackend) -> str:
    if isinstance(backend, LocalBackend):
        return "vllm"
    preset = backend.provider
    return backend.name if preset is None else _NAMES.get(preset, preset)
