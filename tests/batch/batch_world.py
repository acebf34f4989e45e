"""Small things that the batch program's tests share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from serve_app.batch.order import Order


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"id": n, "text": f"line {n}"} for n in range(count)]


def order(given: Path, output: Path, **fields: Any) -> Order:
    return Order(input=str(given), output=str(output), **{"prompt": "Say {text}", **fields})
