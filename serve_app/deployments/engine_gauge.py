"""How full vLLM's cache of keys and values is: a logger of its figures that only keeps the last.

Importing this module imports vLLM.
"""

from __future__ import annotations

from typing import Any

from vllm.v1.metrics.loggers import StatLoggerBase


class EngineGauge(StatLoggerBase):  # type: ignore[misc]  # vLLM is untyped here
    """vLLM tells it after each step."""

    def __init__(self) -> None:
        self._used: dict[int, float] = {}

    @property
    def kv_used(self) -> float | None:
        """Share of the cache's blocks that requests hold, of the fullest engine's; None before
        the first step."""
        return max(self._used.values(), default=None)

    def record(
        self,
        scheduler_stats: Any,
        iteration_stats: Any,
        mm_cache_stats: Any = None,
        engine_idx: int = 0,
    ) -> None:
        if scheduler_stats is not None:
            self._used[engine_idx] = float(scheduler_stats.kv_cache_usage)

    def log_engine_initialized(self) -> None:
        """Nothing to say."""
