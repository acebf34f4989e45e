"""Request fields that a backend, or one model of it, does not take."""

from __future__ import annotations

from serve_app.config.backend_settings import HostedBackend


def dropped_fields(settings: HostedBackend) -> dict[str, frozenset[str]]:
    """By model, the fields that are left out."""
    everywhere = settings.quirks.drop
    return {model.id: frozenset((*everywhere, *model.drop)) for model in settings.models}
