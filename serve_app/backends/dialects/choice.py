"""Which dialect a backend speaks."""

from __future__ import annotations

from serve_app.backends.dialects.anthropic import AnthropicDialect
from serve_app.backends.dialects.base import Dialect
from serve_app.backends.dialects.gemini import GeminiDialect
from serve_app.backends.dialects.openai import OpenAIDialect
from serve_app.config.backend_settings import HostedBackend


def dialect_of(settings: HostedBackend) -> Dialect:
    """The dialect that `kind` names."""
    match settings.kind:
        case "anthropic":
            return AnthropicDialect(settings)
        case "gemini":
            return GeminiDialect(settings)
        case "openai":
            return OpenAIDialect(settings)
