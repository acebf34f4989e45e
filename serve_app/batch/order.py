"""What is ordered: every option of one batch, checked, and the part of it that decides answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import floor
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from serve_app.batch.failure import USAGE, BatchFailed

Via = Literal["graph", "vllm"]
Show = Literal["auto", "bar", "lines", "json", "quiet"]
Device = Literal["auto", "cpu", "gpu"]

GRAPH_CONCURRENCY: Final = 32
VLLM_CONCURRENCY: Final = 256
"""Requests at once without `--concurrency`: to a gateway, and in one engine (vLLM's own default
for a server)."""

_LAYOUT: Final = 1
"""Raised when the same order would be answered or stored otherwise."""


class Order(Struct, frozen=True, kw_only=True):
    """One batch, as its command line says it."""

    input: str
    """A path or an fsspec address: a file, a folder, or a pattern."""
    output: str
    prompt: str | None = None
    """A template over the input's columns."""
    messages_column: str | None = None
    system: str | None = None
    model: str = "auto"
    temperature: float = 0.0
    max_tokens: int | None = None
    params: dict[str, Any] = {}
    """More fields of the request, or of vLLM's SamplingParams."""
    prefix: str = ""
    """Before the names of the columns that are added."""
    limit: int | None = None
    """Only so many rows."""

    via: Via = "graph"
    url: str = ""
    """Of the gateway."""
    concurrency: int | None = None
    timeout_s: float = 600.0
    """Of one request."""
    patience_s: float = 600.0
    """How long a row is tried again while the gateway is busy or away."""

    engines: int = 1
    """vLLM engines side by side."""
    device: Device = "auto"
    engine: dict[str, Any] = {}
    """Arguments of vLLM's engine."""

    budget_micro_usd: int | None = None
    max_errors: str | None = None
    """A number of rows, or a share of all (`2%`)."""
    part_rows: int = 500
    retry_errors: bool = False
    keep_parts: bool = False
    overwrite: bool = False
    show: Show = "auto"
    ray: str | None = None
    """Address of a Ray cluster, `auto`, or `local`."""

    def requests_at_once(self) -> int:
        default = GRAPH_CONCURRENCY if self.via == "graph" else VLLM_CONCURRENCY
        return default if self.concurrency is None else self.concurrency

    def terms(self) -> dict[str, Any]:
        """What decides the answers, besides the input: readable, for the manifest."""
        terms = {
            "layout": _LAYOUT,
            "via": self.via,
            "model": self.model,
            "prompt": self.prompt,
            "messages_column": self.messages_column,
            "system": self.system,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "params": self.params,
            "prefix": self.prefix,
            "limit": self.limit,
        }
        return terms | ({"engine": self.engine} if self.via == "vllm" else {})

    def errors_allowed(self, rows: int) -> int | None:
        """How many of `rows` may fail; None: any number."""
        return None if self.max_errors is None else errors_of(self.max_errors, rows)


def errors_of(cap: str, rows: int) -> int:
    """The number that `10` or `2.5%` means.

    Raises:
        BatchFailed: it is neither.
    """
    text = cap.strip()
    try:
        if text.endswith("%") and 0 <= (share := float(text[:-1])) <= 100:
            return floor(rows * share / 100)
        if not text.endswith("%") and (count := int(text)) >= 0:
            return count
    except ValueError:
        pass
    raise BatchFailed(f"--max-errors is a number of rows or a share like 2%, not {cap!r}", USAGE)


def fingerprint(terms: Mapping[str, Any]) -> str:
    """64 hexadecimal digits that are the same for the same terms."""
    return hashlib.sha256(msgspec.json.encode(terms, order="deterministic")).hexdigest()
