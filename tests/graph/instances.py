"""Running gateways for the tests: started and ended by the product's own command."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import yaml
from faults.kinds import FLAPPING, KINDS
from faults.plays import first_models, plays, routes, second_models

from serve_app.config.providers import presets
from serve_app.models.embedded import location

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"OPENAI_API_KEY": "sk-test-openai", "DEEPSEEK_API_KEY": "sk-test-deepseek"}
"""Two hosted backends are on; `qwen` stays off, as for somebody without that key."""

UP_LIMIT_S = 600

FAULT_PLAYS = plays((*KINDS, FLAPPING))
FAULT_ROUTES = routes(FAULT_PLAYS, "openai", "deepseek")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def gateway_of(config: str) -> dict[str, Any]:
    """The gateway's application in a configuration file."""
    document = yaml.safe_load((ROOT / config).read_text(encoding="utf-8"))
    [app] = [app for app in document["applications"] if app["name"] == "gateway"]
    return dict(app)


def models_of(config: str, name: str) -> list[Any]:
    """The models of a backend in a configuration file, those of its preset if it names none."""
    [backend] = [b for b in gateway_of(config)["args"]["backends"] if b["name"] == name]
    preset = presets().get(backend.get("provider", ""), {"models": []})
    return list(backend.get("models") or [model["id"] for model in preset["models"]])


def provider_overlay(folder: Path, config: str, base_url: str) -> Path:
    """An overlay that lets the scripted provider play every hosted backend.

    `openai` and `deepseek` also get the models of the table of faults (`tests/faults`), and the
    policy a route for each row.
    """
    timeouts = {"connect_s": 2, "first_token_s": 2, "idle_s": 2, "total_s": 30}
    openai, deepseek, qwen = (
        {"name": name, "base_url": base_url, "timeouts": timeouts}
        for name in ("openai", "deepseek", "qwen")
    )
    openai["models"] = [*models_of(config, "openai"), *first_models(FAULT_PLAYS)]
    deepseek["models"] = [*models_of(config, "deepseek"), *second_models(FAULT_PLAYS)]
    deepseek["quirks"] = {"prefix": "partial"}
    deepseek["api_key_env"] = []  # a refused key would be out for the rest of the session
    policy = {"routing": {"routes": FAULT_ROUTES}}
    names = [deployment["name"] for deployment in gateway_of(config)["deployments"]]
    app = {
        "name": "gateway",
        "args": {"backends": [openai, deepseek, qwen]},
        "deployments": [{"name": name, "user_config": policy} for name in names],
    }
    path = folder / "overlay.yaml"
    path.write_text(yaml.safe_dump({"applications": [app]}), encoding="utf-8")
    return path


def folder(name: str) -> Path:
    """A short one: Ray's socket paths have a limit."""
    return Path(tempfile.mkdtemp(prefix=f"sa-{name}-"))


def share_model(instance: Instance) -> None:
    """Use the embedded model that this machine has prepared, or let `up` prepare it for all."""
    ours = location(Path(instance.environ["SERVE_APP_DATA_DIR"]))
    shared = location(Path.home() / ".cache" / "serve-app-tests")
    shared.parent.mkdir(parents=True, exist_ok=True)
    ours.parent.parent.mkdir(parents=True, exist_ok=True)
    os.symlink(shared.parent, ours.parent)


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

    def run(
        self, *words: str, limit_s: float = 120, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            env=self.environ,
            cwd=cwd,
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

    def serve(self) -> subprocess.Popen[bytes]:
        """`make serve`, as the README says, until it is ready; end it with `interrupt`."""
        words = shlex.join(self.up_words()[1:])
        environ = {k: v for k, v in self.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        self.folder.joinpath("data").mkdir(exist_ok=True)
        with (self.folder / "make.log").open("wb") as log:
            making = subprocess.Popen(
                ["make", "serve", f"ARGS={words}", "EXTRA=cpu"],
                env=environ, cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + UP_LIMIT_S
        while self.run("status").returncode != 0:
            assert making.poll() is None, self.made() + self.logs()
            assert time.monotonic() < end, self.made() + self.logs()
        return making

    def interrupt(self, making: subprocess.Popen[bytes]) -> None:
        """Ctrl-C in the terminal of `make serve`; nothing may be left."""
        os.killpg(making.pid, signal.SIGINT)
        making.wait(120)
        assert "nothing is left behind" in self.made(), self.made()
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", self.port)) != 0

    def made(self) -> str:
        return (self.folder / "make.log").read_text(encoding="utf-8", errors="replace")[-4000:]

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
