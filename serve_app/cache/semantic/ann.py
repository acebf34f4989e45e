"""Vectors in a graph (HNSW, by usearch) once there are many: faster, and nearly as sure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from serve_app.cache.semantic.index import ExactIndex, Near
from serve_app.core.errors import PolicyRejected


class GraphIndex:
    """An exact index that also keeps a graph from `graph_from` vectors on, and searches that.

    Raises:
        PolicyRejected: usearch is not installed.
    """

    def __init__(self, dims: int, graph_from: int) -> None:
        try:
            from usearch.index import Index as Graph
        except ImportError:
            raise PolicyRejected(
                "cache.semantic.index: 'ann' needs usearch: pip install 'serve-app[ann]'"
            ) from None
        self._make: Callable[[], Any] = partial(Graph, ndim=dims, metric="ip", dtype="f32")
        self._exact = ExactIndex(dims)
        self._graph_from = graph_from
        self._graph: Any = None
        self._keys: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._next = 0

    def __len__(self) -> int:
        return len(self._exact)

    @property
    def is_slow(self) -> bool:
        return self._graph is None and self._exact.is_slow

    @property
    def nbytes(self) -> int:
        return self._exact.nbytes + (self._graph.memory_usage if self._graph is not None else 0)

    def add(self, name: str, vector: np.ndarray) -> None:
        self._exact.add(name, vector)
        if self._graph is not None:
            self._link(name, vector)
        elif len(self._exact) >= self._graph_from:
            self._graph = self._make()
            for known, row in self._exact.items():
                self._link(known, row)

    def remove(self, name: str) -> None:
        self._exact.remove(name)
        key = self._keys.pop(name, None)
        if key is not None:
            del self._names[key]
            self._graph.remove(key)

    def search(self, vector: np.ndarray, k: int) -> list[str]:
        if self._graph is None:
            return self._exact.search(vector, k)
        keys = self._graph.search(vector, k).keys.tolist()
        return [name for key in keys if (name := self._names.get(key)) is not None]

    def cosines(self, vector: np.ndarray, names: list[str]) -> list[Near]:
        return self._exact.cosines(vector, names)

    def _link(self, name: str, vector: np.ndarray) -> None:
        old = self._keys.pop(name, None)
        if old is not None:
            del self._names[old]
            self._graph.remove(old)
        key, self._next = self._next, self._next + 1
        self._graph.add(key, vector)
        self._keys[name], self._names[key] = key, name
