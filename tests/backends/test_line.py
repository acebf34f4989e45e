from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtual_time import VirtualLoop

from serve_app.backends.line import Line, Waiter

TENANTS = "abcd"
crowds = st.lists(st.sampled_from(TENANTS), max_size=40)
weights = st.dictionaries(st.sampled_from(TENANTS), st.integers(1, 4))


@pytest.fixture(scope="module")
def loop() -> VirtualLoop:
    made = VirtualLoop()
    made.close()  # futures need one to be made, nobody runs it
    return made


def stand(line: Line, tenant: str, loop: VirtualLoop) -> Waiter:
    waiter = Waiter(tenant, line, loop.create_future())
    line.add(waiter)
    return waiter


def drained(line: Line) -> list[Waiter]:
    return [line.next() for _ in range(len(line))]


def names(waiters: list[Waiter]) -> str:
    return "".join(waiter.tenant for waiter in waiters)


def is_empty(line: Line) -> bool:
    kept = len(line._parties) + len(line._by_length)
    return (kept, line._ring_weight, len(line), line.longest) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("come", "go"),
    [
        ("aaaab", "abaaa"),
        ("aaabbbccc", "abcabcabc"),
        ("aabbbb", "ababbb"),
        ("", ""),
    ],
)
def test_tenants_take_turns(loop: VirtualLoop, come: str, go: str) -> None:
    line = Line({})
    for tenant in come:
        stand(line, tenant, loop)
    assert names(drained(line)) == go


def test_a_weight_is_turns_in_a_row(loop: VirtualLoop) -> None:
    line = Line({"a": 3})
    for tenant in "aaaaaaabbb":
        stand(line, tenant, loop)
    assert names(drained(line)) == "aaabaaabab"


def test_who_comes_one_at_a_time_gets_no_more_than_its_turn(loop: VirtualLoop) -> None:
    """A tenant that always has just one waiting must not be first each time."""
    line = Line({})
    for tenant in "aaaaaab":
        stand(line, tenant, loop)
    gone = ""
    for _ in range(6):
        waiter = line.next()
        gone += waiter.tenant
        if waiter.tenant == "b":
            stand(line, "b", loop)
    assert gone == "ababab"


@given(come=crowds, weights=weights)
def test_nobody_waits_for_more_than_a_round_of_the_others(
    loop: VirtualLoop, come: list[str], weights: dict[str, int]
) -> None:
    line = Line(weights)
    for tenant in come:
        stand(line, tenant, loop)
    waits = {tenant: Counter[str]() for tenant in TENANTS}
    left = Counter(come)
    for waiter in drained(line):
        got = waiter.tenant
        left[got] -= 1
        waits[got].clear()
        for tenant in TENANTS:
            if tenant != got and left[tenant]:
                waits[tenant][got] += 1
                assert waits[tenant][got] <= weights.get(got, 1)
    assert is_empty(line)


@given(come=crowds, weights=weights, gone=st.integers(0, 10), last=st.sampled_from(TENANTS))
def test_no_more_turns_come_before_than_was_said(
    loop: VirtualLoop, come: list[str], weights: dict[str, int], gone: int, last: str
) -> None:
    line = Line(weights)
    for tenant in come:
        stand(line, tenant, loop)
    for _ in range(min(gone, len(line))):
        line.next()
    said = line.ahead(last)
    waiter = stand(line, last, loop)
    assert drained(line).index(waiter) <= said


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.sampled_from(TENANTS)),
            st.tuples(st.just("discard"), st.integers(0, 99)),
            st.tuples(st.just("next"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_its_counts_are_those_of_a_list(
    loop: VirtualLoop, steps: list[tuple[str, str | int]]
) -> None:
    line, model = Line({"a": 2}), list[Waiter]()
    for what, which in steps:
        if isinstance(which, str):
            model.append(stand(line, which, loop))
        elif what == "discard" and model:
            waiter = model.pop(which % len(model))
            assert line.discard(waiter)
            assert not line.discard(waiter)
        elif what == "next" and model:
            waiter = line.next()
            own = [other for other in model if other.tenant == waiter.tenant]
            assert waiter is own[0]
            model.remove(waiter)
        lengths = Counter(waiter.tenant for waiter in model)
        assert len(line) == len(model)
        assert line.longest == max(lengths.values(), default=0)
        assert all(line.of(tenant) == lengths[tenant] for tenant in TENANTS)
        last = line.last_of_longest()
        if last is None:
            assert not model
        else:
            assert lengths[last.tenant] == line.longest
            assert last is [w for w in model if w.tenant == last.tenant][-1]
    for waiter in model:
        line.discard(waiter)
    assert is_empty(line)
