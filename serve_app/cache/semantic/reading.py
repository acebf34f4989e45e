"""A question as the guards read it: how it asks, what it counts, what it speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from serve_app.cache.semantic.lexicon import LONGEST_PHRASE, Lexicon
from serve_app.cache.semantic.quantities import Quantity, split_quantities
from serve_app.cache.semantic.words import Word, code_of, has_han, words_of


class Item(NamedTuple):
    """A word or phrase of a question."""

    form: str
    """Stem, or stems with `_` between them."""
    text: str
    is_name: bool
    weight: int
    """0: may be there or not, 1: says little, 2: counts."""
    before: str
    """The small word that says its part: from, to, before, without ...; empty: none."""


class Reading(Struct, frozen=True):
    """One question, read."""

    ask: int
    """The way in which it asks; 0: none that is known."""
    opening: tuple[str, ...]
    """The words of that way."""
    items: list[Item]
    quantities: list[Quantity]
    negations: int
    marks: frozenset[str]
    """Small words that change what is asked: all, only, more than, his ..."""
    code: tuple[str, ...]
    wants: str
    """What kind of answer it wants: where, when, why, who, how long, yes or no ...; empty: any."""


_NEGATIONS = frozenset(
    (
        "不 没 无 未 非 别 勿 "
        "not no never without nor neither none nobody nothing non cannot unable "
        "lack"
    ).split()
)

_ROLES = frozenset(
    (
        "on 从 到 向 给 把 被 比 "
        "from to into onto before after with without than over under above below "
        "between for against by via through until since towards onto out off except"
    ).split()
)
"""Small words that say which part the next word has."""

_MARKS = {
    "all": "all", "every": "all", "each": "all", "everi": "all", "whole": "all", "entir": "all",
    "both": "both", "onli": "only", "except": "except", "still": "still", "more": "more",
    "less": "less", "fewer": "less", "most": "most", "least": "least", "again": "again",
    "alreadi": "already", "instead": "instead", "his": "their", "her": "their",
    "their": "their", "him": "their", "them": "their", "someon": "their", "somebodi": "their",
    "els": "other", "other": "other", "anoth": "other", "too": "too", "enough": "enough",
    "was": "past", "were": "past", "did": "past", "will": "future", "if": "if", "unless": "if",
    "上": "上", "下": "下", "前": "前", "后": "后", "内": "内", "外": "外", "仅": "only",
    "只": "only", "全": "all", "每": "each", "最": "most", "更": "more", "再": "again",
    "非": "not", "未": "not", "or": "or", "than": "than", "everyth": "all",
    "everything": "all", "everyon": "all", "everyone": "all",
}  # fmt: skip


def read(text: str, lexicon: Lexicon, words: Sequence[Word] | None = None) -> Reading:
    """Read a question.

    Args:
        words: its words, where they were put right already.
    """
    quantities, words = split_quantities(words_of(text) if words is None else words)
    words = _without_greeting(words, lexicon)
    ask, length = _ask(words, lexicon)
    items = _items(words[length:], lexicon)
    return Reading(
        ask=ask,
        opening=tuple(word.text for word in words[:length]),
        items=items,
        quantities=quantities,
        negations=_negations(words[:length], items),
        marks=_marks(words[:length], items),
        code=code_of(text),
        wants=_wanted(words, length),
    )


def _marks(opening: Sequence[Word], items: Sequence[Item]) -> frozenset[str]:
    """What changes what is asked; a word inside a phrase does not count (`all inclusive`)."""
    seen = (*(word.stem for word in opening), *(item.form for item in items))
    return frozenset(_MARKS[form] for form in seen if form in _MARKS)


def _negations(opening: Sequence[Word], items: Sequence[Item]) -> int:
    return sum(word.text in _NEGATIONS for word in opening) + sum(
        not _NEGATIONS.isdisjoint(item.text.split()) and item.weight > 0 for item in items
    )


_WANTED = {
    "where": "where",
    "when": "when",
    "why": "why",
    "who": "who",
    "whose": "who",
    "whom": "who",
}

_HOW = {
    "much": "how much", "many": "how much", "long": "how long", "often": "how often",
    "far": "how far", "old": "how old", "soon": "when", "big": "how big", "tall": "how tall",
    "high": "how tall", "fast": "how fast", "early": "when", "late": "when", "come": "why",
}  # fmt: skip

_TIMES = frozenset("time hour date day year deadline".split())

_YES_OR_NO = frozenset(
    "is are am was were do does did can could may will would should shall must has have had".split()
)


def _wanted(words: Sequence[Word], opening: int) -> str:
    """The first word that says what kind of answer is wanted.

    Args:
        opening: how many words the way of asking takes; `what causes` asks why.
    """
    if opening > 1 and words[opening - 1].stem == "caus":
        return "why"
    for at, word in enumerate(words):
        after = words[at + 1].text if at + 1 < len(words) else ""
        if word.text in _WANTED:
            is_clause = at > 0 and word.text in ("when", "where", "who")
            if not is_clause:
                return _WANTED[word.text]
        elif word.text == "how":
            return _HOW.get(after, "how")
        elif word.text in ("what", "which"):
            return "when" if after in _TIMES else "what"
        elif word.text == "reason" or word.text == "cause":
            return "why"
    return "yes or no" if words and words[0].text in _YES_OR_NO else ""


_GREETING = frozenset(
    (
        "hi hello hey hiya yo dear greetings good morning afternoon evening um uh er erm so well "
        "ok okay oh ah please pls plz thanks thank you sorry excuse me there team guys and but "
        "quick question just btw basically right now then"
    ).split()
)


def _without_greeting(words: list[Word], lexicon: Lexicon) -> list[Word]:
    """Without what is said before the question begins."""
    at = 0
    while at < len(words) and not _ask(words[at:], lexicon)[1]:
        length = _phrase(words, at, lexicon)
        form = "_".join(word.stem for word in words[at : at + length])
        if not (words[at].text in _GREETING or (length > 1 and form in lexicon.weak)):
            break
        at += length
    return words[at:] if at < len(words) else words


def _ask(words: Sequence[Word], lexicon: Lexicon) -> tuple[int, int]:
    """The way in which a question begins to ask, and how many words that takes."""
    for length in range(min(LONGEST_PHRASE, len(words)), 0, -1):
        form = "_".join(word.stem for word in words[:length])
        if (group := lexicon.asks.get(form)) is not None:
            return group, length
    return 0, 0


def _items(words: Sequence[Word], lexicon: Lexicon) -> list[Item]:
    items: list[Item] = []
    at, before = 0, ""
    while at < len(words):
        length = _phrase(words, at, lexicon)
        part = words[at : at + length]
        form = "_".join(word.stem for word in part)
        item = Item(
            form=form,
            text=("" if has_han(form) else " ").join(word.text for word in part),
            is_name=any(word.is_name for word in part),
            weight=_weight(form, lexicon),
            before=before,
        )
        items.append(item)
        if item.text in _ROLES:
            before = item.text
        elif item.weight:
            before = ""
        at += length
    return items


def _weight(form: str, lexicon: Lexicon) -> int:
    if form in lexicon.weak:
        return 0
    return 1 if form in lexicon.light else 2


def _phrase(words: Sequence[Word], at: int, lexicon: Lexicon) -> int:
    """How many words from here on are one phrase of the lexicon; 1: none."""
    for length in range(min(7, len(words) - at), 1, -1):
        form = "_".join(word.stem for word in words[at : at + length])
        if (
            form in lexicon.same
            or form in lexicon.apart
            or form in lexicon.weak
            or form in lexicon.light
        ):
            return length
    return 1
