"""Which turns are sent: the latest whole, pairs whole, and the cut where it was before."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from sessions.talks import COUNTER, answer, call, plain, policy, thread, user

from serve_app.core.types import Message
from serve_app.sessions.prompt import told
from serve_app.sessions.thread import Summary, Thread
from serve_app.sessions.turns import Turn
from serve_app.sessions.window import History, Layout, fit, told_by

TURN = 12
"""Tokens of a turn of `plain`."""


def layout(read: Thread, room: int, said: list[Message] | None = None, **rules: object) -> Layout:
    return fit(History(read, said or [user()], policy(**rules)), room, COUNTER)


def sent(read: Thread, room: int, said: list[Message] | None = None, **rules: object) -> list[str]:
    """The texts that are sent."""
    history = History(read, said or [user()], policy(**rules))
    messages = told(history, fit(history, room, COUNTER), said or [user()]).messages
    return [str(message.content) for message in messages]


def test_what_fits_is_left_alone() -> None:
    assert layout(thread(plain(5)), 5 * TURN) == Layout(0)
    assert sent(thread(plain(2)), 2 * TURN) == ["0?", "0!", "1?", "1!"]


def test_the_oldest_turns_go_first() -> None:
    assert sent(thread(plain(4)), 2 * TURN) == ["2?", "2!", "3?", "3!"]


def test_the_last_turns_are_kept_in_full_wherever_the_cut_would_better_be() -> None:
    for keep in (1, 3, 5, 9):
        start = layout(thread(plain(14)), 9 * TURN, keep_turns=keep).start
        assert 5 <= start <= max(5, 14 - keep)
    assert layout(thread(plain(14)), 9 * TURN, keep_turns=3).start == 8


def test_instructions_stay_though_their_turn_goes_or_was_not_read() -> None:
    turns = plain(10)
    turns[1].insert(0, Message("system", "be brief"))
    assert sent(thread(turns), 6 + 2 * TURN)[0] == "be brief"
    pin = Turn(3, (Message("system", "pinned"),), (6,))
    read = thread(plain(10, first=50), first=50)
    read = Thread(read.version, read.at, turns=read.turns, pins=(pin,), tokens=read.tokens)
    assert sent(read, 6 + 3 * TURN) == ["pinned", *(f"{n}{m}" for n in (57, 58, 59) for m in "?!")]


def test_no_older_turn_slips_in_where_a_newer_one_did_not_fit() -> None:
    turns = [[user("a")], [user("b " * 50)], [user("c")]]
    assert sent(thread(turns), 20) == ["c"]


def test_results_are_sent_with_their_calls_or_not_at_all() -> None:
    turns = [[user("go"), call("a", "b")], [answer("a"), user("there?")], [answer("b"), user("ok")]]
    turns += plain(1)
    assert layout(thread(turns), 2 * TURN).start == 3
    assert layout(thread(turns), 60).start == 0


def test_what_is_said_now_keeps_the_turn_that_it_answers_even_if_that_is_too_long() -> None:
    turns = [*plain(2), [user("go " * 100), call("a")]]
    assert layout(thread(turns), 10, [answer("a")]).start == 2
    assert layout(thread(turns), 10, [user()]).start == 3


def test_a_call_id_used_again_means_the_newer_call() -> None:
    turns = [[user(), call("a")], [answer("a")], [user(), call("a")], [answer("a")]]
    assert layout(thread(turns), 25).start == 2


def test_turns_that_are_left_out_anyway_are_not_counted() -> None:
    counted: list[int] = []

    class Counter:
        def count(self, message: Message) -> int:
            return COUNTER.count(message)

        def counts(self, turn: Turn) -> tuple[int, ...]:
            counted.append(turn.number)
            return turn.counts

        async def warm(self, messages: object) -> None:
            """Nothing to do."""

    for shorten in ("drop", "summarise"):
        counted.clear()
        fit(History(thread(plain(1000)), [user()], policy(shorten=shorten)), 10 * TURN, Counter())
        assert sorted(counted) == list(range(989, 1000))


def test_the_cut_stays_for_several_requests() -> None:
    starts = [layout(thread(plain(n)), 40 * TURN).start for n in range(41, 441)]
    moves = sum(a != b for a, b in itertools.pairwise(starts))
    assert starts == sorted(starts)
    assert moves <= 400 / 10
    assert all(20 <= n - start <= 40 for n, start in zip(range(41, 441), starts, strict=True))


def test_so_it_does_where_only_the_end_of_a_conversation_is_read() -> None:
    """What is read moves with each turn; what is sent does not."""
    starts = [
        layout(thread(plain(100, first=n), first=n), 200 * TURN).start for n in range(900, 1100)
    ]
    assert starts == sorted(starts)
    assert len(set(starts)) <= 10


# ------------------------------------------------------------------ truncate


def long(n: int) -> list[Message]:
    return [user(f"{n}?"), Message("assistant", f"{n} " + "word " * 400)]


def test_long_messages_of_older_turns_are_cut_before_a_turn_is_left_out() -> None:
    turns = [long(n) for n in range(10)]
    made = layout(thread(turns), 2200, shorten="truncate", truncate_chars=200)
    assert made.start == 0
    assert 3 < made.cut_before <= 7
    texts = sent(thread(turns), 2200, shorten="truncate", truncate_chars=200)
    assert len(texts) == 20
    assert "characters left out ...]" in texts[1]
    assert texts[19] == turns[9][1].content


def test_if_that_is_not_enough_turns_are_left_out_too() -> None:
    turns = [long(n) for n in range(100)]
    made = layout(thread(turns), 2200, shorten="truncate", truncate_chars=200)
    assert 0 < made.start < 97
    assert made.cut_before == 97


def test_the_last_turns_are_not_cut_even_if_they_do_not_fit() -> None:
    turns = [long(n) for n in range(10)]
    made = layout(thread(turns), 900, shorten="truncate")
    assert (made.start, made.cut_before) == (8, 0)


def test_the_place_where_messages_are_whole_stays_too() -> None:
    rules = {"shorten": "truncate", "truncate_chars": 200}
    made = [layout(thread([long(i) for i in range(n)]), 9000, None, **rules) for n in range(30, 80)]
    assert {m.start for m in made} == {0}
    befores = [m.cut_before for m in made]
    assert befores == sorted(befores)
    assert len(set(befores)) <= 25


# ------------------------------------------------------------------ summarise


def test_a_summary_is_wanted_where_turns_are_left_out() -> None:
    made = layout(thread(plain(30)), 10 * TURN, shorten="summarise")
    assert (made.summary, made.wants_summary) == (None, True)
    assert not layout(thread(plain(5)), 10 * TURN, shorten="summarise").wants_summary


def test_a_summary_stands_for_what_it_tells_of() -> None:
    summary = Summary(24, "they counted")
    made = layout(thread(plain(30), summary=summary), 12 * TURN, shorten="summarise")
    assert made == Layout(24, summary=summary)
    texts = sent(thread(plain(30), summary=summary), 12 * TURN, shorten="summarise")
    assert texts[0] == told_by(summary).content
    assert texts[1] == "24?"


def test_the_next_summary_is_wanted_when_what_came_after_does_not_fit() -> None:
    summary = Summary(24, "they counted")
    made = layout(thread(plain(60), summary=summary), 12 * TURN, shorten="summarise")
    assert made.start > 24
    assert (made.summary, made.wants_summary) == (summary, True)


def test_no_summary_is_sent_where_all_fits_or_the_policy_wants_none() -> None:
    summary = Summary(2, "they counted")
    read = thread(plain(6), summary=summary)
    assert layout(read, 6 * TURN, shorten="summarise") == Layout(0)
    assert layout(read, 4 * TURN, shorten="drop").summary is None


# ------------------------------------------------------------------ properties

_MESSAGE = st.one_of(
    st.sampled_from(["user", "assistant", "system"]).map(lambda role: Message(role, "w " * 3)),
    st.integers(1, 200).map(lambda n: Message("user", "word " * n)),
    st.lists(st.sampled_from("abc"), min_size=1, max_size=2, unique=True).map(lambda i: call(*i)),
    st.sampled_from("abc").map(answer),
)
_TURNS = st.lists(st.lists(_MESSAGE, min_size=1, max_size=4), max_size=12)
_RULES = st.fixed_dictionaries(
    {
        "shorten": st.sampled_from(["drop", "truncate", "summarise"]),
        "keep_turns": st.integers(1, 4),
        "truncate_chars": st.just(80),
    }
)


def unpaired(messages: list[Message]) -> bool:
    """Whether a result has no call before it, or a call no result."""
    open_calls: dict[str, bool] = {}
    for message in messages:
        if message.tool_call_id is not None:
            if message.tool_call_id not in open_calls:
                return True
            open_calls[message.tool_call_id] = True
        for one in message.tool_calls or ():
            if not open_calls.get(one.id, True):
                return True
            open_calls[one.id] = False
    return not all(open_calls.values())


@given(_TURNS, st.integers(0, 800), _RULES, st.integers(0, 12), st.booleans())
def test_whatever_is_sent_fits_is_paired_and_ends_with_the_latest(
    turns: list[list[Message]],
    room: int,
    rules: dict[str, object],
    upto: int,
    has_summary: bool,
) -> None:
    summary = Summary(upto, "told") if has_summary and 0 < upto <= len(turns) else None
    read, said = thread(turns, summary=summary), [user()]
    history = History(read, said, policy(**rules))
    made = fit(history, room, COUNTER)
    told_ = told(history, made, said)
    assert not unpaired(told_.messages)
    pinned = sum(map(COUNTER.count, history.pins))
    extra = 0 if made.summary is None else COUNTER.count(told_by(made.summary))
    kept = [turn for turn in read.turns if turn.number >= made.start]
    if kept:
        assert sum(map(COUNTER.count, told_.messages)) <= max(room, pinned + extra)
    assert kept == list(read.turns[len(read.turns) - len(kept) :])
    instructions = [m for turn in read.turns for m in turn.instructions]
    assert [m for m in told_.messages if m in instructions or m.role == "system"] == (
        [*(m for t in read.turns if t.number < made.start for m in t.instructions)]
        + ([told_by(made.summary)] if made.summary else [])
        + [m for t in kept for m in t.instructions]
    )
    if sum(COUNTER.count(m) for turn in turns for m in turn) <= room:
        assert made == Layout(0)
