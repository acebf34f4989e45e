"""What admission costs with every limit on: `python -m benchmarks.admission`.

One process and a real Valkey. A request is admitted (key, four scopes with limits of every kind,
budgets of every period) and settled. CPU is that of this process; Valkey's own is told beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.console import Console
from rich.table import Table

from serve_app.accounting.ledger import Ledger, Settlement
from serve_app.admission.directory import KeyDirectory
from serve_app.admission.need import Asking
from serve_app.admission.porter import Admission
from serve_app.config.policy import AdmissionPolicy
from serve_app.config.structure import LedgerSettings, RedisSettings
from serve_app.core.clock import SystemClock
from serve_app.store.client import Store
from serve_app.store.embedded import EmbeddedValkey

REQUESTS = 8000
LIMITS = {
    "requests_per_minute": 100_000_000,
    "input_tokens_per_minute": 100_000_000,
    "output_tokens_per_minute": 100_000_000,
    "tokens_per_minute": 100_000_000,
    "parallel": 100_000,
    "budget": {"day": 100_000, "week": 100_000, "month": 100_000, "total": 100_000},
}
KEY = "sk-bench"


class Cost(NamedTuple):
    at_once: int
    cpu_us: float
    valkey_us: float
    wall_us: float


def _policy() -> AdmissionPolicy:
    scopes = (["key"], ["user"], ["tenant"], ["tenant", "model"])
    return AdmissionPolicy.model_validate(
        {
            "keys": [{"sha256": hashlib.sha256(KEY.encode()).hexdigest(), "tenant": "t"}],
            "limits": [{"per": per, **LIMITS} for per in scopes],
        }
    )


async def _one(porter: Admission, ledger: Ledger) -> None:
    asking = Asking("/v1/chat/completions", "m", 20, 32, 1, lambda i, o: i + 2 * o)
    admitted = await porter.admit(f"Bearer {KEY}", None, asking)
    lease = admitted.lease
    assert lease is not None
    lease.charge(20, 30, 80)
    ledger.record(Settlement("t", "u", "m", "b", 20, 30, 80, key_id="k"))
    lease.done()
    assert await ledger.confirmed("t", 5.0)


async def _measure(store: Store, valkey: psutil.Process, at_once: int) -> Cost:
    clock = SystemClock()
    ledger = Ledger(store, clock)
    porter = Admission(
        _policy(),
        LedgerSettings(),
        store,
        KeyDirectory(store, "bench", clock),
        clock,
        lambda lease: ledger.end(lease, lease.tenant),
    )
    ledger.start()
    porter.start()

    async def several(count: int) -> None:
        for _ in range(count):
            await _one(porter, ledger)

    await several(200)
    before = valkey.cpu_times()
    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(several(REQUESTS // at_once) for _ in range(at_once)))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    after = valkey.cpu_times()
    await porter.close()
    await ledger.close()
    theirs = after.user + after.system - before.user - before.system
    return Cost(at_once, *(1e6 * s / REQUESTS for s in (cpu, theirs, wall)))


async def main() -> None:
    """Measure and print."""
    table = Table("requests at once", "our CPU us", "Valkey's CPU us", "wall us")
    with tempfile.TemporaryDirectory(prefix="sa-b-") as folder:
        server = EmbeddedValkey(Path(folder))
        server.start()
        try:
            store = Store(RedisSettings(timeout_ms=2000), SystemClock(), server.url)
            assert server.pid is not None
            for at_once in (1, 16, 64):
                cost = await _measure(store, psutil.Process(server.pid), at_once)
                table.add_row(str(cost.at_once), *(f"{figure:.0f}" for figure in cost[1:]))
            await store.close()
        finally:
            server.stop()
    Console().print(table)


if __name__ == "__main__":
    asyncio.run(main())
