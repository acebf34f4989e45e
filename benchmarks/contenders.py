"""Who is measured: the upstream itself, the peers, and this gateway in its set-ups."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import needs
from benchmarks.launch import Launcher, Nothing, Program, Programs
from benchmarks.places import (
    HERE,
    LITELLM_PORT,
    LITELLM_REDIS_PORT,
    MOCK_PORT,
    MOCK_URL,
    PORTKEY_PORT,
    REDIS_PORT,
    SMG_METRICS_PORT,
    SMG_PORT,
    chat_url,
)


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    name: str
    title: str
    url: str
    launcher: Callable[[], Launcher]
    headers: dict[str, str] = field(default_factory=dict)
    cached: bool = False
    """True: every request is the same, and none but the first may reach the upstream."""
    peer: str = ""
    """Folder of `benchmarks.install` that must be there."""


def references() -> list[Contender]:
    """What no gateway can beat."""
    return [
        Contender("direct", "no gateway", chat_url(MOCK_PORT), Nothing),
        Contender("nginx", "nginx plain proxy", chat_url(MOCK_PORT + 1), Nothing),
    ]


def peers(folder: Path, scratch: Path) -> list[Contender]:
    return [_litellm(folder), _litellm_redis(folder, scratch), _portkey(folder), _smg(folder)]


def _litellm_program(folder: Path, config: str, port: int, key: str) -> Program:
    home = folder / "litellm"
    argv = [str(home / "venv/bin/litellm"), "--config", str(HERE / "peers" / config)]
    argv += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environment = {
        # Without it, each start waits for a price list that it tries to download.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MODE": "PRODUCTION",
        "LITELLM_MASTER_KEY": key,
    }
    return Program(argv, home, (port,), environment)


def _throwaway_key() -> str:
    """LiteLLM does not start without a key; its check is a small part of a request's work."""
    return "sk-" + secrets.token_hex(24)


def _litellm(folder: Path) -> Contender:
    key = _throwaway_key()
    program = _litellm_program(folder, "litellm.yaml", LITELLM_PORT, key)
    return Contender(
        "litellm",
        "LiteLLM 1.110.2",
        chat_url(LITELLM_PORT),
        lambda: Programs(program),
        headers={"Authorization": f"Bearer {key}"},
        peer="litellm",
    )


def _litellm_redis(folder: Path, scratch: Path) -> Contender:
    key = _throwaway_key()
    program = _litellm_program(folder, "litellm-redis.yaml", LITELLM_REDIS_PORT, key)
    redis = _redis(scratch)
    return Contender(
        "litellm-redis",
        "LiteLLM, Redis hits",
        chat_url(LITELLM_REDIS_PORT),
        lambda: Programs(redis, program),
        headers={"Authorization": f"Bearer {key}"},
        cached=True,
        peer="litellm",
    )


def _redis(scratch: Path) -> Program:
    scratch.mkdir(parents=True, exist_ok=True)
    argv = [needs.redis_server() or "redis-server", "--bind", "127.0.0.1", "--port"]
    argv += [str(REDIS_PORT), "--save", "", "--appendonly", "no"]
    return Program(argv, scratch, (REDIS_PORT,))


def _portkey(folder: Path) -> Contender:
    home = folder / "portkey"
    server = home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    argv = [needs.program("node") or "node", str(server), f"--port={PORTKEY_PORT}", "--headless"]
    environment = {"NODE_ENV": "production", "PORT": str(PORTKEY_PORT)}
    program = Program(argv, home, (PORTKEY_PORT,), environment)
    target = {"provider": "openai", "api_key": "sk-mock", "custom_host": f"{MOCK_URL}/v1"}
    return Contender(
        "portkey",
        "Portkey 1.15.2",
        chat_url(PORTKEY_PORT),
        lambda: Programs(program),
        headers={"x-portkey-config": json.dumps(target, separators=(",", ":"))},
        peer="portkey",
    )


def _smg(folder: Path) -> Contender:
    home = folder / "smg"
    argv = [str(home / "venv/bin/smg"), "launch", "--host", "127.0.0.1", "--port", str(SMG_PORT)]
    argv += ["--backend", "openai", "--worker-urls", MOCK_URL, "--policy", "round_robin"]
    argv += ["--disable-retries", "--history-backend", "none", "--log-level", "error"]
    argv += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(SMG_METRICS_PORT)]
    program = Program(argv, home, (SMG_PORT, SMG_METRICS_PORT))
    return Contender(
        "smg",
        "smg 1.13.0 (Rust)",
        chat_url(SMG_PORT),
        lambda: Programs(program),
        headers={"Authorization": "Bearer sk-mock"},
        peer="smg",
    )
