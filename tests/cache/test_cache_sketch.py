from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from serve_app.cache.sketch import Sketch

HASHES = st.integers(-(1 << 63), (1 << 63) - 1)


@given(st.lists(HASHES, max_size=200))
def test_a_count_is_never_too_small(names: list[int]) -> None:
    sketch = Sketch(1000)
    for name in names:
        sketch.add(name)
    assert all(sketch.count(name) >= min(15, names.count(name)) for name in names)


def test_counts_are_close_when_there_are_as_many_names_as_expected() -> None:
    rng = random.Random(1)
    sketch = Sketch(5000)
    names = {rng.getrandbits(63): rng.choice((1, 1, 1, 4)) for _ in range(5000)}
    for name, times in names.items():
        for _ in range(times):
            sketch.add(name)
    wrong = sum(sketch.count(name) != times for name, times in names.items())
    assert wrong < 50


def test_counts_end_at_fifteen_and_fade() -> None:
    sketch = Sketch(64)
    for _ in range(100):
        sketch.add(7)
    assert sketch.count(7) == 15
    for number in range(1000):
        sketch.add(hash(f"other {number}"))
    assert sketch.count(7) < 8
