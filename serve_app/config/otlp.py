"""Where spans go: our own setting, else OpenTelemetry's environment variables.

Source: opentelemetry.io/docs/specs/otel/protocol/exporter ("Endpoint URLs for OTLP/HTTP").
"""

from __future__ import annotations

from collections.abc import Mapping

from serve_app.config.watch_settings import TracingSettings


def traces_endpoint(settings: TracingSettings, environ: Mapping[str, str]) -> str:
    """The whole address; empty: spans go nowhere, and none are made."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    own = settings.endpoint or environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    if own:
        return own
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").rstrip("/")
    return f"{base}/v1/traces" if base else ""
