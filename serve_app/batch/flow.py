"""The batch on Ray Data: read, ask, and hand back what was answered, block by block."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, Final

import msgspec
import pyarrow as pa
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext, Datasource, ReadTask
from ray.data.block import BlockMetadata

from serve_app.batch import engines
from serve_app.batch.caller import Terms
from serve_app.batch.engines import Engines
from serve_app.batch.results import Report
from serve_app.batch.survey import Survey, requests
from serve_app.batch.through_graph import REPORT, ThroughGraph

_LITTLE_CPU: Final = 0.01
"""The work here waits for the gateway; on a small cluster whole CPUs may not be free."""
_READ_ROWS: Final = 64
_ROW_BYTES: Final = 16
"""Of a row in Arrow, besides its messages."""
_GROWTH: Final = 4
"""How much larger a row gets in the stages of `ray.data.llm`."""
_SMALLEST_BATCH, _LARGEST_BATCH = 4, 64

_report = msgspec.msgpack.Decoder(Report)


class Requests(Datasource):  # type: ignore[misc]  # Ray is untyped
    """The input's rows that are not done, as Ray Data reads them: a task for each file."""

    def __init__(self, found: Survey, done: bytearray) -> None:
        self._found = found
        self._done = done

    def estimate_inmemory_data_size(self) -> int | None:
        return self._found.message_bytes

    def get_read_tasks(
        self,
        parallelism: int,
        per_task_row_limit: int | None = None,
        data_context: DataContext | None = None,
    ) -> list[ReadTask]:
        tasks = [self._task(at) for at in range(len(self._found.files))]
        return [task for task in tasks if task is not None]

    def _task(self, at: int) -> ReadTask | None:
        place, file, found = self._found.places[at], self._found.files[at], self._found
        done = bytes(self._done[file.first : file.first + file.rows])
        left = done.count(0)
        if not left:
            return None
        kind, prompter = found.kind, found.prompter
        assert prompter is not None

        def read() -> Iterator[pa.Table]:
            rows = requests(place, file, kind, prompter, done)
            while some := list(islice(rows, _READ_ROWS)):
                numbers, messages = zip(*some, strict=True)
                yield pa.table(
                    {
                        "row": pa.array(numbers, pa.int64()),
                        "messages": pa.array(messages, pa.binary()),
                    }
                )

        size = left * (found.mean_bytes + _ROW_BYTES)
        metadata = BlockMetadata(num_rows=left, size_bytes=size, input_files=None, exec_stats=None)
        return ReadTask(read, metadata)


def batch_of(at_once: int) -> int:
    """Rows that are handed to the gateway's caller together.

    Fewer than run at once, so that a slow row holds back few others' results.
    """
    return max(_SMALLEST_BATCH, min(_LARGEST_BATCH, at_once // 2))


def _read(found: Survey, done: bytearray, block_rows: int) -> Any:
    """Blocks of about so many rows."""
    size = block_rows * (found.mean_bytes + _ROW_BYTES)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    # Ray Data cuts blocks by size only, and a block is what is handed on and comes back.
    context.target_max_block_size = size
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    # Ray Data's own message about a way to name resources that it leaves no other for.
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated")
    return ray.data.read_datasource(Requests(found, done), num_cpus=_LITTLE_CPU)


def through_graph(
    found: Survey,
    done: bytearray,
    terms: Terms,
    at_once: int,
    budget_micro_usd: int | None,
    errors: int | None,
) -> Iterator[Report]:
    """What the gateway answered, as it comes; the first report that says `stopped` is not yet
    the last one."""
    batch = batch_of(at_once)
    batches = 2 * math.ceil(at_once / batch)
    dataset = _read(found, done, batch).map_batches(
        ThroughGraph,
        fn_constructor_args=(terms, at_once, budget_micro_usd, errors),
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=1, max_tasks_in_flight_per_actor=batches + 2),
        max_concurrency=batches,
        num_cpus=_LITTLE_CPU,
    )
    for table in _tables(dataset):
        for encoded in table.column(REPORT).to_pylist():
            yield _report.decode(encoded)


def through_engines(
    found: Survey, done: bytearray, plan: Engines, max_tokens: int | None
) -> Iterator[Report]:
    """What the engines answered, as it comes."""
    # Its stages put blocks together again, and their rows grow on the way.
    dataset = engines.build(plan)(_read(found, done, _GROWTH * plan.batch_size))
    for table in _tables(dataset):
        yield engines.report(table.to_pylist(), max_tokens)


def _tables(dataset: Any) -> Iterator[pa.Table]:
    tables = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    for table in tables:
        if table.num_rows:
            yield table


def gpus() -> float:
    """GPUs of the cluster."""
    with suppress(Exception):
        return float(ray.cluster_resources().get("GPU", 0))
    return 0.0
