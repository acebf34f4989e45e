"""Running gateways for the tests: started and ended by the product's own command."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"OPENAI_API_KEY": "sk-test-openai", "DEEPSEEK_API_KEY": "sk-test-deepseek"}
"""Two hosted backends are on; `qwen` stays off, as for somebody without that key."""

UP_LIMIT_S = 600


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def provider_overlay(folder: Path, base_url: str, **policy: Any) -> Path:
    """An overlay that lets the scripted provider play every hosted backend.

    Args:
        policy: sections merged into the policy of the Gateway deployment.
    """
    timeouts = {"connect_s": 2, "first_token_s": 2, "idle_s": 2, "total_s": 30}
    backends = [
        {"name": name, "base_url": base_url, "timeouts": timeouts}
        for name in ("openai", "deepseek", "qwen")
    ]
    app: dict[str, Any] = {"name": "gateway", "args": {"backends": backends}}
    if policy:
        app["deployments"] = [{"name": "Gateway", "user_config": policy}]
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump({"applications": [app]}), encoding="utf-8")
    return path


class Instance:
    """One `serve-app up` with a data folder and ports of its own."""

    def __init__(
        self, folder: Path, config: str, overlays: list[Path], keys: dict[str, str]
    ) -> None:
        self.folder = folder
        self.config = config
        self.overlays = overlays
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.endswith("_API_KEY")},
            **keys,
            "SERVE_APP_DATA_DIR": str(folder / "data"),
        }

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "serve_app", *words]

    def run(self, *words: str, limit_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def up_words(self) -> list[str]:
        overlays = [word for path in self.overlays for word in ("--overlay", str(path))]
        return ["up", "--config", self.config, *overlays, "--port", str(self.port)]

    def up(self) -> Instance:
        done = self.run(*self.up_words(), limit_s=UP_LIMIT_S)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.logs()}"
        return self

    def down(self) -> None:
        done = self.run("down")
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=20) as answer:
            return json.loads(answer.read())

    def processes(self, name: str) -> list[psutil.Process]:
        """Processes of this instance whose command line has `name` in it."""
        state = json.loads((self.folder / "data" / "state.json").read_text(encoding="utf-8"))
        supervisor = psutil.Process(state["supervisor"]["pid"])
        found = []
        for process in [supervisor, *supervisor.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                if name in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def logs(self) -> str:
        """The ends of the log files, for a failure's message."""
        found = sorted((self.folder / "data" / "logs").glob("*"))
        texts = [
            f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')[-3000:]}"
            for path in found
            if path.is_file()
        ]
        return "\n".join(texts)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
