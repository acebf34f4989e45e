"""Which words of one question stand for which of another, and which are left over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from serve_app.cache.semantic.lexicon import Lexicon
from serve_app.cache.semantic.reading import Item
from serve_app.cache.semantic.vocabulary import Vocabulary
from serve_app.cache.semantic.words import Word


class Pair(Struct, frozen=True, gc=False):
    """Two words that stand for one another, by their places."""

    one: int
    other: int
    how: str
    """`equal`, `same` (the lexicon), `typo` or `form` (cancel, cancellation)."""


class Alignment(Struct, frozen=True):
    pairs: list[Pair]
    left_one: list[Item]
    left_other: list[Item]
    """Words that have no counterpart."""


def align(
    one: Sequence[Item], other: Sequence[Item], lexicon: Lexicon, vocabulary: Vocabulary
) -> Alignment:
    """Pair the words of two questions: the surest ways first, each word once."""
    aligner = _Aligner(one, other)
    aligner.pair("equal", _are_equal)
    aligner.pair("equal", lambda a, b: a.text.replace(" ", "") == b.text.replace(" ", ""))
    aligner.pair("same", lambda a, b: lexicon.are_same(a.form, b.form))
    aligner.glue()
    aligner.pair("form", _is_form)
    aligner.pair("typo", lambda a, b: is_typo(a, b, vocabulary))
    return aligner.found()


def _are_equal(a: Item, b: Item) -> bool:
    """The same form; of names the same text: Alien is not Aliens."""
    return a.form == b.form and (a.text == b.text or not (a.is_name and b.is_name))


class _Aligner:
    def __init__(self, one: Sequence[Item], other: Sequence[Item]) -> None:
        self._one, self._other = one, other
        self._free_one, self._free_other = list(range(len(one))), list(range(len(other)))
        self._pairs: list[Pair] = []

    def pair(self, how: str, fits: Callable[[Item, Item], bool]) -> None:
        for i in list(self._free_one):
            a = self._one[i]
            j = next((j for j in self._free_other if fits(a, self._other[j])), None)
            if j is not None:
                self._take(how, i, j)

    def glue(self) -> None:
        """`push ups` and `pushups`, `debit card` and `debit ... card`."""
        self._glue(self._one, self._free_one, self._other, self._free_other, turned=False)
        self._glue(self._other, self._free_other, self._one, self._free_one, turned=True)

    def _glue(
        self,
        one: Sequence[Item],
        free: list[int],
        other: Sequence[Item],
        rest: list[int],
        *,
        turned: bool,
    ) -> None:
        for i in list(free):
            words = one[i].form.split("_")
            joined = "".join(one[i].text.split())
            parts = self._parts(words, other, rest) or self._run(joined, other, rest)
            for at, j in enumerate(parts):
                rest.remove(j)
                if not at:
                    free.remove(i)
                    self._pairs.append(Pair(j, i, "form") if turned else Pair(i, j, "form"))

    @staticmethod
    def _parts(words: list[str], other: Sequence[Item], rest: list[int]) -> list[int]:
        """The places of all words of a phrase in the other question; none if one is missing."""
        if len(words) < 2:
            return []
        found = [next((j for j in rest if other[j].form == word), None) for word in words]
        places = [j for j in found if j is not None]
        return places if len(places) == len(words) == len(set(places)) else []

    @staticmethod
    def _run(joined: str, other: Sequence[Item], rest: list[int]) -> list[int]:
        """Two words side by side that make one."""
        for j in rest:
            if j + 1 in rest and "".join((other[j].text + other[j + 1].text).split()) == joined:
                return [j, j + 1]
        return []

    def _take(self, how: str, i: int, j: int) -> None:
        self._pairs.append(Pair(i, j, how))
        self._free_one.remove(i)
        self._free_other.remove(j)

    def found(self) -> Alignment:
        return Alignment(
            self._pairs,
            [self._one[i] for i in self._free_one],
            [self._other[j] for j in self._free_other],
        )


_SUFFIXES = (
    "ation", "ition", "tion", "sion", "ment", "ance", "ence", "ing", "ity", "al", "ly", "er", "or",
    "able", "ible", "ive", "ion", "ure", "ness", "y", "e", "s", "ed", "ful", "ish", "ist",
)  # fmt: skip


def _is_form(a: Item, b: Item) -> bool:
    """True for forms of one word that the stemmer keeps apart: reserve, reservation."""
    if (
        not (a.weight and b.weight)
        or (a.is_name and b.is_name)
        or min(len(a.text), len(b.text)) < 5
    ):
        return False
    at = 0
    for at in range(min(len(a.text), len(b.text)) + 1):
        if a.text[at : at + 1] != b.text[at : at + 1] or at == min(len(a.text), len(b.text)):
            break
    rests = a.text[at:], b.text[at:]
    return at >= 5 and all(not rest or rest in _SUFFIXES for rest in rests)


def is_typo(a: Item | Word, b: Item | Word, vocabulary: Vocabulary) -> bool:
    """True if one is no word, and nearly the other, which is."""
    if (a.is_name and b.is_name) or not (a.text.isalpha() and b.text.isalpha()):
        return False
    known = vocabulary.knows(a.text), vocabulary.knows(b.text)
    if known[0] == known[1]:
        return not known[0] and _is_long_typo(a.text, b.text)
    wrong, right = (b.text, a.text) if known[0] else (a.text, b.text)
    room = 2 if len(right) >= 8 else 1
    return len(right) >= 3 and distance(wrong, right, room) <= room


def _is_long_typo(one: str, other: str) -> bool:
    """Of two rare words: letters doubled or not, or one edit in a long one."""
    if len(one) > 6 and _undoubled(one) == _undoubled(other):
        return True
    return min(len(one), len(other)) >= 10 and distance(one, other, 1) <= 1


def _undoubled(word: str) -> str:
    return "".join(letter for at, letter in enumerate(word) if word[at - 1 : at] != letter)


def put_right(words: Sequence[Word], by: Sequence[Word], vocabulary: Vocabulary) -> Sequence[Word]:
    """The words with misspellings replaced by the words of the other question that they mean; the
    same sequence if there are none."""
    known = {word.text for word in by}
    if all(word.text in known or vocabulary.knows(word.text) for word in words):
        return words
    fixed: list[Word] = []
    for word in words:
        if word.text in known or vocabulary.knows(word.text) or not word.text.isalpha():
            fixed.append(word)
            continue
        meant = next((other for other in by if is_typo(word, other, vocabulary)), None)
        fixed.append(word if meant is None else meant)
    return fixed


def distance(one: str, other: str, most: int) -> int:
    """Edits (a letter more, less, another, two exchanged) between two words; at most `most` + 1."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if last and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return min(row[-1], most + 1)
