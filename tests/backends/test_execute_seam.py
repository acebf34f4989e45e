"""Where an answer goes on elsewhere: whatever is cut, and wherever, nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from random import Random

import pytest
from backend_peers import Act, Peer, Stage, broke, candidate, chunk, says, silence, text_of
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.backends.base import AttemptFailed, Call
from serve_app.backends.seam import (
    DEPARTED,
    REPEATED,
    TELLING,
    UNCLEAR,
    Anew,
    Onward,
    Seam,
    beginning,
)
from serve_app.core.errors import UpstreamFailed
from serve_app.core.types import Chunk

SENT = "It was the best of times, it was the worst of times"


def passed(seam: Seam, text: str, size: int = 1) -> str:
    """What a seam lets out of a text that comes in pieces of some size."""
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return "".join([seam.feed(piece) for piece in pieces]) + seam.finish()


def failure(seam: Seam, text: str, size: int = 1) -> str:
    with pytest.raises(AttemptFailed) as caught:
        passed(seam, text, size)
    return caught.value.code


SIZES = pytest.mark.parametrize("size", [1, 2, 7, 1000])


# --------------------------------------------------------------------- the seams


@SIZES
def test_anew_lets_out_what_comes_after_what_was_sent(size: int) -> None:
    assert passed(Anew(SENT), SENT + ", it was", size) == ", it was"
    assert passed(Anew(SENT), SENT, size) == ""
    assert passed(Anew(""), "All of it", size) == "All of it"


@SIZES
@pytest.mark.parametrize("text", [SENT[:-1], SENT[:-1] + "!", "Other", " " + SENT, ""])
def test_anew_refuses_everything_else(text: str, size: int) -> None:
    assert failure(Anew(SENT), text, size) == DEPARTED


@SIZES
@pytest.mark.parametrize("text", [", it was", "I", "It was the bestest", "", " it", "\n\nIt was"])
def test_onward_lets_out_what_goes_on(text: str, size: int) -> None:
    seam = Onward(SENT)
    assert passed(seam, text, size) == text
    assert not seam.begins_anew


@SIZES
def test_onward_checks_off_an_answer_that_began_anew(size: int) -> None:
    seam = Onward(SENT)
    assert passed(seam, SENT + ", it was", size) == ", it was"
    assert seam.begins_anew
    assert passed(Onward(SENT), SENT, size) == ""


@SIZES
def test_onward_refuses_an_answer_that_began_anew_and_departs(size: int) -> None:
    assert failure(Onward(SENT), SENT[:TELLING] + "other", size) == DEPARTED
    assert failure(Onward(SENT), SENT[:-1], size) == DEPARTED
    assert passed(Onward(SENT), SENT[: TELLING - 1] + "!", size) == SENT[: TELLING - 1] + "!"


@SIZES
@pytest.mark.parametrize("sent", ["I", "ha ha", "x" * 60, "0, " * 20, SENT.lower()])
def test_onward_does_not_guess(sent: str, size: int) -> None:
    assert failure(Onward(sent), sent + "x", size) in (UNCLEAR, DEPARTED)


@SIZES
@pytest.mark.parametrize("space", [" ", "\n\n", " \n\t", "\u3000"])
def test_white_space_at_the_seam_comes_once(space: str, size: int) -> None:
    sent = SENT + space
    assert beginning(sent) == SENT
    assert passed(Onward(sent), space + "it", size) == "it"
    assert passed(Onward(sent), space + space + "it", size) == space + "it"
    assert passed(Onward(sent), "it", size) == "it"
    assert passed(Onward(sent), space, size) == ""


# --------------------------------------------------- the whole way, with any text

ALPHABETS = ("ab", "a \n", "abcdefghijklmnopqrstuvwxyz  .,\n", "é世界🎉 \u3000\n")

TEXTS = st.one_of(
    *[st.text(alphabet, min_size=1, max_size=120) for alphabet in ALPHABETS],
    st.builds(lambda unit, n: unit * n, st.text(ALPHABETS[2], min_size=1, max_size=20),
              st.integers(2, 12)),
)  # fmt: skip


def pieces_of(text: str, lot: Random) -> list[str]:
    pieces: list[str] = []
    while text:
        size = lot.choice((1, 2, 5, 40))
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def going_on(text: str, lot: Random) -> Act:
    """Goes on from a beginning, as a model does; without one it says the whole text."""

    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        assert text.startswith(call.prefix)
        async for batch in says(pieces_of(text[len(call.prefix) :], lot))(call):
            yield batch

    return act


def anew(text: str, lot: Random) -> Act:
    """Begins anew, whatever it was given."""

    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        batch = [chunk({"role": "assistant"}, id_="new")]
        yield batch + [chunk({"content": piece}, id_="new") for piece in pieces_of(text, lot)]
        yield [chunk({}, "stop", id_="new")]

    return act


async def told(stage: Stage, *plan: str) -> tuple[str, bool]:
    """What the caller got, and whether it was told that it is the whole answer."""
    names = [candidate(name.strip("+"), prefix=name.endswith("+")) for name in plan]
    answer = await stage.start(*names, rules={"max_recoveries": 3})
    seen: list[Chunk] = []
    code = ""
    try:
        async for batch in answer.chunks:
            seen += batch
    except UpstreamFailed as error:
        code = error.code
    if code:
        assert code == "stream_interrupted"
        return text_of(seen), False
    assert seen[-1].choices[0].finish_reason == "stop"
    assert {one.id for one in seen} == {"old"}
    assert stage.running() == 0
    return text_of(seen), True


CUTS = given(text=TEXTS, at=st.floats(0, 1), lot=st.integers(0, 99))
MANY = settings(max_examples=250, deadline=None)


def cut_at(text: str, at: float) -> int:
    return max(1, round(at * len(text)))


def cut(text: str, at: float, lot: Random, failed: AttemptFailed) -> Act:
    return says(pieces_of(text[: cut_at(text, at)], lot), failed)


@MANY
@CUTS
def test_a_candidate_that_goes_on_makes_the_answer_whole(text: str, at: float, lot: int) -> None:
    draw = Random(lot)
    first = Peer("a", cut(text, at, draw, silence()))
    said, is_whole = asyncio.run(told(Stage(first, Peer("b", going_on(text, draw))), "a", "b+"))
    says_it_twice = text.find(text[:REPEATED], 1) >= 0  # then nobody can tell
    if is_whole or not says_it_twice:
        assert (said, is_whole) == (text, True)
    else:
        assert text.startswith(said)


@MANY
@CUTS
def test_a_candidate_that_begins_anew_makes_the_answer_whole(
    text: str, at: float, lot: int
) -> None:
    draw = Random(lot)
    for other in ("b", "b+"):  # one that knows it, and one that only says it goes on
        first = Peer("a", cut(text, at, draw, silence()))
        said, is_whole = asyncio.run(told(Stage(first, Peer("b", anew(text, draw))), "a", other))
        if is_whole:
            assert said == text
        else:
            assert (other, text.startswith(said)) == ("b+", True)


@MANY
@given(text=TEXTS, other=TEXTS, at=st.floats(0, 1), same=st.integers(0, 80), lot=st.integers(0, 99))
def test_two_answers_are_never_mixed(text: str, other: str, at: float, same: int, lot: int) -> None:
    another = text[:same] + other
    sent = text[: cut_at(text, at)]
    tells = another.startswith(sent[:TELLING])
    for name in ("b", "b+") if tells else ("b",):
        draw = Random(lot)
        first = Peer("a", cut(text, at, draw, silence()))
        stage = Stage(first, Peer("b", anew(another, draw)))
        said, is_whole = asyncio.run(told(stage, "a", name))
        assert said == another if is_whole else said == sent


@MANY
@given(text=TEXTS, cuts=st.lists(st.floats(0, 1), min_size=1, max_size=3), lot=st.integers(0, 99))
def test_an_answer_that_breaks_off_again_and_again_is_never_mixed(
    text: str, cuts: list[float], lot: int
) -> None:
    draw = Random(lot)
    one = Peer("a", *[cut_again(text, at, draw) for at in cuts], going_on(text, draw))
    said, is_whole = asyncio.run(told(Stage(one), "a+"))
    assert said == text if is_whole else text.startswith(said)


def cut_again(text: str, at: float, lot: Random) -> Act:
    """Goes on from where it is asked to and breaks off somewhere after that."""

    async def act(call: Call) -> AsyncGenerator[list[Chunk], None]:
        rest = text[len(call.prefix) :]
        async for batch in says(pieces_of(rest[: cut_at(rest, at)], lot), broke())(call):
            yield batch

    return act
