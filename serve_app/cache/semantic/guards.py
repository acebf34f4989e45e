"""What forbids to serve one question's answer for another, however alike they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from serve_app.cache.semantic.alignment import Alignment
from serve_app.cache.semantic.lexicon import Lexicon
from serve_app.cache.semantic.quantities import Quantity
from serve_app.cache.semantic.reading import Item, Reading

_OPPOSITE_ROLES = (
    ({"from", "out", "off"}, {"to", "into", "onto", "on", "towards"}),
    ({"before", "until"}, {"after", "since"}),
    ({"with"}, {"without", "except"}),
    ({"over", "above"}, {"under", "below"}),
    ({"for"}, {"against"}),
)

_PREFIXES = (
    "un",
    "in",
    "im",
    "ir",
    "il",
    "dis",
    "non",
    "de",
    "mis",
    "anti",
    "over",
    "under",
    "pre",
    "post",
)


def forbidden(one: Reading, other: Reading, found: Alignment, lexicon: Lexicon) -> str:
    """The first reason why one answer cannot serve both; empty: there is none."""
    return next(_reasons(one, other, found, lexicon), "")


def _reasons(one: Reading, other: Reading, found: Alignment, lexicon: Lexicon) -> Iterator[str]:
    if one.code != other.code:
        yield "code"
    if not _same_quantities(one.quantities, other.quantities):
        yield "numbers"
    if one.negations % 2 != other.negations % 2:
        yield "negation"
    if one.marks != other.marks:
        yield "scope"
    if _opposed(found, lexicon):
        yield "opposites"
    if not _compatible(one.wants, other.wants):
        yield "kind of answer"
    if _turned(one.items, other.items, found):
        yield "direction"
    if _scrambled(one.items, found):
        yield "order"
    if any(_is_identifier(item) for item in (*found.left_one, *found.left_other)):
        yield "identifiers"
    if any(item.is_name and item.weight for item in (*found.left_one, *found.left_other)):
        yield "names"


def _same_quantities(one: Sequence[Quantity], other: Sequence[Quantity]) -> bool:
    """The same numbers; numbers of one unit in the same order, as `5 to 10` is not `10 to 5`."""
    if len(one) != len(other):
        return False
    units = {quantity.unit for quantity in one}
    return units == {quantity.unit for quantity in other} and all(
        [q.value for q in one if q.unit == unit] == [q.value for q in other if q.unit == unit]
        for unit in units
    )


def _opposed(found: Alignment, lexicon: Lexicon) -> bool:
    """A word of one question that makes a word of the other wrong."""
    return any(
        lexicon.are_apart(a.form, b.form) or _is_negated(a.text, b.text)
        for a in found.left_one
        for b in found.left_other
    )


def _is_negated(one: str, other: str) -> bool:
    """`safe` and `unsafe`, `archive` and `unarchive`."""
    short, long = sorted((one, other), key=len)
    return len(short) > 2 and any(long == prefix + short for prefix in _PREFIXES)


_LOOSE = (
    {"how", "what"},
    {"what", "who"},
    {"what", "when"},
    {"what", "where"},
    {"what", "how much"},
    {"what", "how long"},
    {"what", "how far"},
    {"what", "how old"},
    {"what", "how big"},
    {"what", "how tall"},
    {"what", "how fast"},
    {"what", "how often"},
    {"when", "how long"},
    {"what", "how to"},
)


def _compatible(one: str, other: str) -> bool:
    """Whether two questions may want one kind of answer: `what is the price`, `how much is it`."""
    return one == other or not one or not other or {one, other} in _LOOSE


def _turned(one: Sequence[Item], other: Sequence[Item], found: Alignment) -> bool:
    """The same word, once where something begins and once where it ends; or two words that
    changed places around `to`, `than` and the like."""
    moved: set[tuple[str, bool]] = set()
    for pair in found.pairs:
        a, b = one[pair.one].before, other[pair.other].before
        if a == b or not one[pair.one].weight:
            continue
        for left, right in _OPPOSITE_ROLES:
            if (a in left and b in right) or (a in right and b in left):
                return True
        moved |= {(a, True), (b, False)}
    return any((role, not side) in moved for role, side in moved if role in _DIRECTED)


def _scrambled(one: Sequence[Item], found: Alignment) -> bool:
    """Words in another order than by one part going to the front: `A beats B`, `B beats A`."""
    places = [
        pair.other
        for pair in sorted(found.pairs, key=lambda p: p.one)
        if one[pair.one].weight == 2 and not one[pair.one].text.endswith("ly")
    ]
    breaks = sum(
        left > right for left, right in zip(places, [*places[1:], *places[:1]], strict=True)
    )
    return breaks > 1


_DIRECTED = frozenset(
    "from to into onto before after than over under above below against via".split()
)


def _is_identifier(item: Item) -> bool:
    return any(sign.isdigit() for sign in item.text)
