"""A real OpenTelemetry collector for tests: Rotel (github.com/streamfold/rotel), a process of its
own that takes OTLP and prints every span in full, as the usual collector's debug exporter does."""

from __future__ import annotations

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

_LIMIT_S = 20.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ATTRIBUTE = re.compile(r"\s+-> (?P<name>\S+): (?P<kind>\w+)\((?P<value>.*)\)$")


@dataclass
class Seen:
    """A span as the collector understood it."""

    trace: str = ""
    id: str = ""
    parent: str = ""
    name: str = ""
    kind: str = ""
    status: str = ""
    began_ns: int = 0
    ended_ns: int = 0
    resource: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Trace and span id of each, with `/` between."""


class Collector:
    """A collector that runs; `endpoint` is where it takes traces."""

    def __init__(self, port: int, output: Path) -> None:
        self.endpoint = f"http://127.0.0.1:{port}/v1/traces"
        self._output = output

    def text(self) -> str:
        """All that it printed."""
        return _COLOUR.sub("", self._output.read_text())

    def spans(self) -> list[Seen]:
        """All spans that came."""
        return read(self.text())

    def until(self, enough: Callable[[list[Seen]], object]) -> list[Seen]:
        """The spans, as soon as there are enough. Blocks."""
        give_up_at = time.monotonic() + _LIMIT_S
        while not enough(found := self.spans()):
            assert time.monotonic() < give_up_at, self.text()[-4000:]
            time.sleep(0.05)
        return found


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _program() -> Path:
    spec = find_spec("rotel")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "rotel-agent"


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector until the end of the block."""
    http, grpc = _port(), _port()
    command = [
        str(_program()), "start", "--exporter", "blackhole",
        "--debug-log", "traces", "--debug-log-verbosity", "detailed", "--disable-batching",
        "--otlp-http-endpoint", f"127.0.0.1:{http}", "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="serve-app-collector-") as folder:
        output = Path(folder) / "spans"
        with output.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, cwd=folder)
            try:
                _wait_for(process, http)
                yield Collector(http, output)
            finally:
                process.kill()
                process.wait(_LIMIT_S)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    give_up_at = time.monotonic() + _LIMIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the collector ended"
            assert time.monotonic() < give_up_at
            time.sleep(0.02)
        else:
            return


def read(text: str) -> list[Seen]:
    """The spans of the collector's output."""
    spans: list[Seen] = []
    resource: dict[str, str] = {}
    facts: dict[str, str] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("Resource attributes"):
            resource = facts = {}
        elif re.match(r"Span #\d+", line):
            spans.append(Seen(resource=resource))
        elif line.rstrip() == "Attributes:":
            facts = spans[-1].facts
        elif (found := _ATTRIBUTE.match(line)) and section not in ("event", "link"):
            facts[found["name"]] = found["value"]
        elif spans:
            _take(spans[-1], line)
        section = _section(section, line)
    return spans


def _section(before: str, line: str) -> str:
    words = line.strip()
    if words.startswith(("SpanEvent #", "Events:")):
        return "event"
    if words.startswith(("SpanLink #", "Links:")):
        return "link"
    return "" if words.startswith(("Span #", "Resource", "ScopeSpans #")) else before


def _take(span: Seen, line: str) -> None:
    name, _, value = (part.strip() for part in line.partition(": "))
    match name.rstrip(": ").removeprefix("-> "):
        case "Trace ID" if not span.trace:
            span.trace = value
        case "Parent ID":
            span.parent = value
        case "ID" if not span.id:
            span.id = value
        case "Trace ID":
            span.links.append(value)
        case "ID":
            span.links[-1] += f"/{value}"
        case "Name" if not span.name:
            span.name = value
        case "Name":
            span.events.append(value)
        case "Kind":
            span.kind = value.removeprefix("SPAN_KIND_").lower()
        case "Status code":
            span.status = value.removeprefix("STATUS_CODE_").lower()
        case "Start time":
            span.began_ns = int(value)
        case "End time":
            span.ended_ns = int(value)
