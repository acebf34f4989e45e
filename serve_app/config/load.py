"""From Serve configuration files to a checked deployment.

The files are ordinary Serve files (`serve deploy` takes them too). What is checked here is
what Serve would only find out in a replica: the arguments and policies of our own applications.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serve_app.config import marked
from serve_app.config.check import Check
from serve_app.config.deployment import MODEL_BUILDER, Deployment, GatewayApp
from serve_app.config.merge import merge

REDIS_URL_ENV = "SERVE_APP_REDIS_URL"


def load(
    path: Path,
    overlays: tuple[Path, ...] = (),
    *,
    environ: Mapping[str, str],
    port: int | None = None,
    device: str | None = None,
) -> Deployment:
    """Read, merge and check configuration files.

    Args:
        overlays: merged onto it in order, see `config/merge.py`.
        environ: read for SERVE_APP_REDIS_URL, which wins over `redis.url`.
        port: replaces `http_options.port`.
        device: replaces `device` of every local model.

    Raises:
        ConfigError: with every problem found, each as `FILE:LINE: where: what`.
    """
    document = marked.read(path)
    for overlay in overlays:
        document = merge(document, marked.read(overlay))
    check = Check(document)
    check.top_level()
    http = _section(document, "http_options")
    if port is not None:
        http["port"] = port
        document.setdefault("http_options", http)
    if device is not None:
        _set_device(document, device)
    gateways, models = check.applications()
    host, chosen_port = check.http(http)
    check.locked(host)
    check.done()
    return Deployment(
        document=document,
        files=(path, *overlays),
        host=host,
        port=chosen_port,
        redis_url=environ.get(REDIS_URL_ENV) or _redis_url(gateways),
        gateways=tuple(gateways),
        models=tuple(models),
    )


def _redis_url(gateways: list[GatewayApp]) -> str:
    return gateways[0].args.redis.url if gateways else "embedded"


def _section(document: marked.Map, key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _set_device(document: marked.Map, device: str) -> None:
    for app in document.get("applications") or ():
        if isinstance(app, dict) and app.get("import_path") == MODEL_BUILDER:
            app.setdefault("args", {})["device"] = device
