"""Where this machine keeps what the gateway stores: one folder, found in one place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serve_app.core.errors import PolicyRejected

REDIS_URL = "SERVE_APP_REDIS_URL"
"""Environment variable that wins over `redis.url`; `serve-app up` sets it for its own Valkey."""

ADMIN_KEY = "SERVE_APP_ADMIN_KEY"
"""Environment variable with an admin key: of the gateway, and of whoever manages it."""

VIEWER_KEY = "SERVE_APP_VIEWER_KEY"
"""Environment variable with the key of those who may look at the console, and change nothing."""

SESSION_KEY = "SERVE_APP_SESSION_KEY"
"""Environment variable with the key that seals what a conversation's placeholders stand for."""


def data_dir(environ: Mapping[str, str]) -> Path:
    """Absolute path of the data folder (it may not exist yet).

    SERVE_APP_DATA_DIR names it; without it `~/.local/share/serve-app`.
    """
    chosen = environ.get("SERVE_APP_DATA_DIR") or "~/.local/share/serve-app"
    return Path(chosen).expanduser().absolute()


def redis_url(configured: str, environ: Mapping[str, str]) -> str:
    """Where Redis is: the environment's word, else the configuration's.

    Raises:
        PolicyRejected: `embedded` outside `serve-app up`, which alone starts that one.
    """
    url = environ.get(REDIS_URL) or configured
    if url == "embedded":
        raise PolicyRejected(
            f"redis.url is `embedded`, which only `serve-app up` starts; set {REDIS_URL}"
        )
    return url
