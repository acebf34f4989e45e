"""Where things of a benchmark lie on disk, and which loopback ports they take."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RESULTS = HERE / "results"

MOCK_PORT = 18080
"""The peers' config files name it too. The next five ports also belong to the mock upstream."""
GATEWAY_PORTS = range(18100, 18110)
"""The first free one is taken: a gateway of the same config file may run already."""
LITELLM_PORT = 18110
LITELLM_REDIS_PORT = 18112
PORTKEY_PORT = 18120
SMG_PORT = 18130
SMG_METRICS_PORT = 18131
REDIS_PORT = 18140

CHAT = "/v1/chat/completions"
MOCK_URL = f"http://127.0.0.1:{MOCK_PORT}"


def chat_url(port: int) -> str:
    return f"http://127.0.0.1:{port}{CHAT}"


def cache_folder() -> Path:
    """Folder for peers and scratch files: SERVE_APP_BENCH_DIR, or one in the user's cache."""
    chosen = os.environ.get("SERVE_APP_BENCH_DIR")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "serve-app" / "bench"
