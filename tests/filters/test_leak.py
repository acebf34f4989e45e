"""A system prompt that an answer tells is found, however it is laid out and cut into pieces."""

import random
from collections.abc import Sequence

import pytest
from arriving import found_in_pieces, in_two, one_by_one
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.filters.base import Finder
from serve_app.filters.leak import LeakFinder, LeakFinders, canary_for, canary_sentence

PROMPT = """You are the assistant of Harbour Bank. Rules:
- Never mention the internal rate of 4.25 percent.
- Ask for the customer's branch before you say anything about a loan.
- Refuse to talk about other banks, politics, or the weather.
If someone is rude, stay calm and offer to call back on the next working day."""
HAN_PROMPT = (
    "你是海港银行的助手。绝不要提到百分之四点二五的内部利率。谈到贷款之前,先问客户在哪个支行开户。"
)
SECRET = b"a secret of this service"
CANARY = canary_for(SECRET, PROMPT)
WORDS = 6
FINDER = LeakFinder([PROMPT, HAN_PROMPT], CANARY, WORDS)


def kinds(text: str, finder: Finder = FINDER) -> list[str]:
    return [match.kind for match in finder.find(text)]


def leaked(text: str) -> list[str]:
    return [text[match.start : match.end] for match in FINDER.find(text)]


def test_finder_is_what_span_rules_take() -> None:
    finder: Finder = FINDER
    assert finder.find(PROMPT)


@pytest.mark.parametrize(
    "text",
    [
        "ask for the customer's branch before you say",
        "ASK FOR THE CUSTOMER'S BRANCH BEFORE YOU",
        "* Ask -- for: the\n\n  customer's;\tbranch (before)",
        "> Ask for\n> the customer's\n> branch before you",
        "1. **Ask** for the _customer's_ branch",
        "Ásk fór the cústomer's brànch",
        "A\u200bsk for the cus\u00adtomer's branch",
        "Ａｓｋ ｆｏｒ ｔｈｅ ｃｕｓｔｏｍｅｒ＇ｓ ｂｒａｎｃｈ",
        "之前先问客户在哪个支行开户",
        "之 前 先 问 客 户 在 哪 个 支 行 开 户",
        "“之前,先问,客户在;哪个支行开户”",
    ],
)
def test_words_in_a_row_are_found_whatever_the_layout(text: str) -> None:
    assert kinds(f"Fine! {text} Bye.") == ["overlap"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Which branch are you a customer of?",
        "ask for the customer's",
        "for ask the customer's before branch you",
        "ask for the new customer's branch before they call",
        "ask for the customer's" + " " * 40 + "branch before you say",
        "Ask for the" + "x" * 60 + " customer's branch",
        "海港银行的客户在先问",
        "先问客户在哪个",
    ],
)
def test_fewer_words_or_another_order_are_not(text: str) -> None:
    assert kinds(text) == []


def test_the_range_is_the_words_and_no_more() -> None:
    assert leaked("Well: refuse to talk about other banks, politics, or cheese.") == [
        "refuse to talk about other banks, politics, or"
    ]


def test_words_that_go_on_are_one_leak_and_two_texts_are_two() -> None:
    assert len(FINDER.find("if someone is rude, stay calm and offer to call back on the next")) == 1
    both = "never mention the internal rate of 4.25 percent / " + "之前先问客户在哪个支行开户"
    assert kinds(both) == ["overlap", "overlap"]


def test_the_whole_prompt_is_found_but_for_less_than_a_leak_at_its_end() -> None:
    prompt = " ".join(f"word{i}" for i in range(500))
    finder = LeakFinder([prompt], "", WORDS)
    matches = finder.find(prompt)
    gone = sum(match.end - match.start for match in matches)
    assert all(match.end - match.start <= finder.longest for match in matches)
    assert len(prompt) - gone < (WORDS + 1) * len("word499 ") + len(matches)


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        CANARY.upper(),
        f"marker={CANARY};",
        f"x{CANARY}y",
        f"\ud800{CANARY}\udfff",
        " ".join(CANARY),
        "-".join(CANARY),
        ", ".join(CANARY),
        canary_sentence(CANARY),
    ],
)
def test_canary_is_found_in_any_case_and_spaced_out(text: str) -> None:
    assert kinds(text) == ["canary"]


def test_canary_is_stable_and_nobody_elses() -> None:
    assert canary_for(SECRET, PROMPT) == CANARY
    assert CANARY not in (canary_for(b"other", PROMPT), canary_for(SECRET, PROMPT + " "))
    assert CANARY.isalnum()
    assert canary_for(SECRET, "\ud800")


def test_without_a_canary_only_words_count() -> None:
    assert kinds(CANARY, LeakFinder([PROMPT], "", WORDS)) == []


def test_ordinary_text_is_not_held_back() -> None:
    text = "The weather in Lisbon is fine and the bank is open until five. "
    assert FINDER.undecided(text) >= len(text) - len("five. ")
    assert FINDER.undecided("Nothing of that") >= len("Nothing ")


def test_a_tail_that_is_in_the_prompt_is_held_from_its_first_word() -> None:
    text = "Sure. Ask for the custom"
    assert text[FINDER.undecided(text) :] == "Ask for the custom"
    text = f"It is {CANARY[:5]}"
    assert FINDER.undecided(text) == len(text) - 5


def test_finders_are_kept_for_each_prompt_and_no_more_than_said() -> None:
    finders = LeakFinders(WORDS, SECRET, most=2)
    first = finders.finder([PROMPT])
    assert finders.finder((PROMPT,)) is first
    finders.finder(["another"])
    finders.finder([PROMPT])
    finders.finder(["a third"])
    assert finders.finder([PROMPT]) is first
    assert finders.finder(["another"]) is not finders.finder(["a third"])


def test_the_sentence_of_a_prompt_holds_what_its_finder_finds() -> None:
    finders = LeakFinders(WORDS, SECRET)
    sentence = finders.sentence([PROMPT])
    assert kinds(f"My orders end with: {sentence}", finders.finder([PROMPT])) == ["canary"]
    assert LeakFinders(WORDS, None).sentence([PROMPT]) == ""


LEAKS = [
    "So: never mention the internal rate of 4.25 percent. Ask for the customer's branch, ok?",
    f"Ask for the cus\u200b\u200btomer's branch before you say anything about a loan {CANARY}",
    f"{CANARY[:7]}{CANARY} refuse to talk about {CANARY} other banks, politics, or the weather",
    "if someone is rude stay calm and offer to call back on the next working day if someone is",
    "之前先问客户在哪个支行开户了吗?你是海港银行的助手绝不要提到百分之四点二五的内部利率",
    "the the the ask ask for the customer's branch before you say you say anything about a loan",
    "Ask for the ... \n\n\n* customer's branch before you say" + " " * 17 + "anything about a loan",
]


@pytest.mark.parametrize("text", LEAKS)
def test_a_text_cut_anywhere_gives_what_the_whole_does(text: str) -> None:
    whole = FINDER.find(text)
    for pieces in [*in_two(text), one_by_one(text)]:
        assert found_in_pieces(FINDER, pieces) == whole, pieces


PIECES: Sequence[str] = (
    *PROMPT.split(), *HAN_PROMPT[:30], " ", "\n", ", ", "-", " " * 17, "\u200b", "\u0301", "é", "İ",
    "x" * 41, CANARY, CANARY[:6], CANARY[6:], "a", "sk", "\ud800",
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(PIECES),
            st.integers(0, 300).map(lambda i: PROMPT[i : i + 90]),
            st.integers(0, 30).map(lambda i: HAN_PROMPT[i : i + 25]),
        ),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_any_text_in_random_pieces_gives_what_the_whole_does(
    parts: list[str], chance: random.Random
) -> None:
    text = chance.choice(["", " "]).join(parts)
    cuts = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(9)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert found_in_pieces(FINDER, pieces) == FINDER.find(text)
    assert found_in_pieces(FINDER, one_by_one(text)) == FINDER.find(text)
