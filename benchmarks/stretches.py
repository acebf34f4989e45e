"""The stretches of one contender: each applies one kind of load and returns one sample."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benchmarks import tools
from benchmarks.contenders import Contender
from benchmarks.meter import Cpu, Meter, wait_for_quiet
from benchmarks.outcome import Cut, Latency, Leave, Load, Streams
from benchmarks.places import MOCK_PORT, chat_url
from benchmarks.tools import Bodies
from benchmarks.upstream import Upstream

STREAM_CONNECTIONS = 16
PROBE_RATE = 10.0
"""Requests a second of the latency probe: LiteLLM is saturated near 40."""
LEAVE_AFTER = 20
ONE_LIMIT_S = 10.0
CANCEL_LIMIT_S = 7.0
"""Longer than the whole stream that the client leaves takes (500 chunks, 10 ms apart)."""


@dataclass(frozen=True)
class Stretches:
    """Load on one running contender whose processes are below `roots`."""

    contender: Contender
    roots: list[int]
    upstream: Upstream
    bodies: Bodies
    quiet_s: float
    """How long a stretch may wait for others to use less of the machine."""

    def load(self, connections: int, seconds: float) -> Load:
        body = self.bodies.chat(unique=not self.contender.cached)
        with self._meter() as meter:
            before = self.upstream.counts().requests
            got = tools.wrk(self.contender.url, self.contender.headers, body, connections, seconds)
            reached = self.upstream.counts().requests - before
        good = int(got["requests"] - got["non2xx"])
        return Load(
            connections=connections,
            requests=good,
            rps=round(good / got["seconds"], 2),
            p50_ms=got["p50_ms"],
            p99_ms=got["p99_ms"],
            bad=int(got["non2xx"] + got["socket_errors"] + got["timeouts"]),
            upstream_share=round(reached / max(1, good), 3),
            cpu_s_per_1k=round(meter.cpu.gateway / max(1, good) * 1000, 4),
            **_noise(meter.cpu),
        )

    def latency(self, seconds: float) -> Latency:
        """The pair is taken together, so that a busy moment of the machine hits both."""
        with self._meter() as meter:
            direct = self._probe(chat_url(MOCK_PORT), {}, seconds)
            through = self._probe(self.contender.url, self.contender.headers, seconds)
        return Latency(
            p50_ms=through["p50_ms"],
            p99_ms=through["p99_ms"],
            direct_p50_ms=direct["p50_ms"],
            direct_p99_ms=direct["p99_ms"],
            bad=through["bad"],
            **_noise(meter.cpu),
        )

    def streams(self, seconds: float) -> Streams:
        """16 streams at once, 100 chunks each, as fast as they come."""
        body = self.bodies.chat("mock-n100", stream=True, unique=not self.contender.cached)
        with self._meter() as meter:
            got = self._client("stream", body, seconds, conns=STREAM_CONNECTIONS)
        return Streams(
            chunks_s=got["chunks_s"],
            streams=got["streams"],
            bad=got["bad"],
            first_chunk_p50_ms=got["first_chunk_p50_ms"],
            cpu_s_per_10k_chunks=round(meter.cpu.gateway / max(1, got["chunks"]) * 10_000, 4),
            **_noise(meter.cpu),
        )

    def cut(self) -> Cut:
        """One stream that the upstream cuts after half of its 100 chunks."""
        got = self._client("once", self.bodies.chat("mock-drop-n100", stream=True), ONE_LIMIT_S)
        return Cut(sees=describe(got), chunks=got["chunks"], tail=got["tail"])

    def leave(self) -> Leave:
        """One client that leaves after 20 of 500 chunks."""
        self.upstream.counts(reset=True)
        body = self.bodies.chat("mock-n500-g10", stream=True)
        self._client("once", body, ONE_LIMIT_S, leave_after=LEAVE_AFTER)
        left = time.monotonic()
        while time.monotonic() < left + CANCEL_LIMIT_S:
            seen = self.upstream.counts()
            if seen.aborted or seen.streams_done:
                break
            time.sleep(0.005)
        took = round((time.monotonic() - left) * 1e3, 1)
        return Leave(bool(seen.aborted), took if seen.aborted else None, seen.chunks)

    def _probe(self, url: str, headers: dict[str, str], seconds: float) -> dict[str, Any]:
        body = self.bodies.chat(unique=not self.contender.cached)
        got = tools.client("probe", url, headers, body, seconds, rate=PROBE_RATE)
        if got["p50_ms"] is None:
            raise tools.ToolFailedError(f"none of {got['requests']} probes was answered")
        return got

    def _client(self, mode: str, body: Any, seconds: float, **options: float) -> dict[str, Any]:
        contender = self.contender
        return tools.client(mode, contender.url, contender.headers, body, seconds, **options)

    def _meter(self) -> Meter:
        wait_for_quiet([*self.roots, *self.upstream.pids], self.quiet_s)
        return Meter(self.roots, self.upstream.pids)


def _noise(cpu: Cpu) -> dict[str, Any]:
    return {"noise_cores": cpu.noise_cores, "noisy": cpu.noisy}


def describe(once: dict[str, Any]) -> str:
    """What a client can tell of a stream that was cut, in a few words.

    Anything but an error makes a cut answer look like a whole one.
    """
    error = '"error"' in once["tail"]
    if once["status"] != 200:
        return f"status {once['status']}"
    if once["how"] == "closed":
        return "error event, connection cut" if error else "connection cut"
    if once["how"] == "client_timeout":
        return "hangs"
    end = ", then [DONE]" if once["done"] else ", no [DONE]"
    return ("error event" if error else "clean end without an error") + end
