"""A checked configuration: what Serve gets, and typed views of our own applications in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve_app.config.backend_settings import HostedBackend
from serve_app.config.model_args import ModelArgs
from serve_app.config.policy import Policy
from serve_app.config.structure import GatewayArgs

GATEWAY_BUILDER = "serve_app.graph:build_gateway"
MODEL_BUILDER = "serve_app.deployments.model_app:build_model"
CLASSIFIER_BUILDER = "serve_app.deployments.classifier_app:build_classifier"


@dataclass(frozen=True)
class GatewayApp:
    name: str
    route_prefix: str
    args: GatewayArgs
    policy: Policy

    def hosted(self) -> list[HostedBackend]:
        return [b for b in self.args.backends if isinstance(b, HostedBackend)]


@dataclass(frozen=True)
class ModelApp:
    name: str
    args: ModelArgs


@dataclass(frozen=True)
class Deployment:
    """A checked configuration. `document` is exactly what Serve gets."""

    document: dict[str, Any]
    files: tuple[Path, ...]
    host: str
    port: int
    redis_url: str
    gateways: tuple[GatewayApp, ...]
    models: tuple[ModelApp, ...]

    @property
    def address(self) -> str:
        """Base URL for a client on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def hosted_with_key(self, environ: Mapping[str, str]) -> list[str]:
        """Names of the hosted backends that are on."""
        return [b.name for b in self._hosted() if _has_key(b, environ)]

    def missing_keys(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Hosted backends that are off, with the environment variables that turn them on."""
        return {
            b.name: " or ".join(b.api_key_env) for b in self._hosted() if not _has_key(b, environ)
        }

    def _hosted(self) -> Iterator[HostedBackend]:
        for app in self.gateways:
            yield from app.hosted()


def _has_key(backend: HostedBackend, environ: Mapping[str, str]) -> bool:
    """True too for one that needs no key, or has it in a file."""
    names = backend.api_key_env
    return not names or bool(backend.api_key_file) or any(environ.get(n) for n in names)


def deployment_names(args: GatewayArgs) -> list[str]:
    """Names of the gateway's deployments, the ingress first."""
    names = ["Gateway"]
    names += ["Filter"] if args.placement.filter == "deployed" else []
    names += ["Cache"] if args.placement.cache == "deployed" else []
    names += ["Router"] if args.placement.router == "deployed" else []
    if args.placement.backends == "deployed":
        names += [f"Backend-{b.name}" for b in args.backends if isinstance(b, HostedBackend)]
    names += ["Workers"] if args.placement.workers == "deployed" else []
    return names
