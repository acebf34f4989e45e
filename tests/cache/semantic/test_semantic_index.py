from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.cache.semantic.ann import GraphIndex
from serve_app.cache.semantic.index import ExactIndex, Index

DIMS = 16


def vectors(count: int, seed: int = 1) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((count, DIMS)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=200),
    st.integers(0, 1000),
)
def test_it_agrees_with_looking_at_all(steps: list[tuple[bool, int]], seed: int) -> None:
    index, kept, pool = ExactIndex(DIMS), {}, vectors(41, seed)
    for adds, number in steps:
        if adds:
            vector = pool[(number * 7 + len(kept)) % 41]
            index.add(str(number), vector)
            kept[str(number)] = vector
        else:
            index.remove(str(number))
            kept.pop(str(number), None)
    assert len(index) == len(kept)
    asked = vectors(1, seed + 1)[0]
    best = sorted((float(row @ asked) for row in kept.values()), reverse=True)[:3]
    near = index.cosines(asked, index.search(asked, 3))
    # What points away from it is of no interest, and may give way to a free row.
    found = [one.cosine for one in near if one.cosine > 0.0]
    assert found == pytest.approx([cosine for cosine in best if cosine > 0.0], abs=1e-5)


def test_among_many_the_nearest_is_found_by_the_first_rough_look() -> None:
    index, rows = ExactIndex(DIMS), vectors(20_000)
    for number, row in enumerate(rows):
        index.add(str(number), row)
    found = 0
    for number in range(0, 20_000, 200):
        asked = rows[number] + 0.1 * vectors(1, number)[0]
        asked /= np.linalg.norm(asked)
        found += index.search(asked, 8)[0] == str(number)
    assert found == 100


def test_a_removed_row_is_used_again_and_not_found_any_more() -> None:
    index, rows = ExactIndex(DIMS), vectors(3)
    index.add("a", rows[0])
    index.remove("a")
    index.add("b", rows[1])
    assert index.search(rows[0], 5) == ["b"]
    assert index.cosines(rows[0], ["a", "b"])[0].name == "b"
    assert index.nbytes == ExactIndex(DIMS).nbytes


@pytest.mark.parametrize("graph_from", [50, 1000])
def test_a_graph_finds_what_an_exact_search_finds(graph_from: int) -> None:
    graph: Index = GraphIndex(DIMS, graph_from)
    rows = vectors(400)
    for number, row in enumerate(rows):
        graph.add(str(number), row)
    graph.add("7", rows[8])
    for number in range(100, 200):
        graph.remove(str(number))
    assert len(graph) == 300
    hits = sum(graph.search(rows[n], 1)[0] == str(n) for n in range(200, 400))
    assert hits >= 195
    assert not {str(n) for n in range(100, 200)} & set(graph.search(rows[150], 20))
    assert {near.name for near in graph.cosines(rows[8], graph.search(rows[8], 2))} == {"7", "8"}
