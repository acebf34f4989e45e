"""PromQL text in, nodes out. What PromQL has and we do not is named, with its place."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeVar

import re2

from serve_app.alerts.promql.nodes import (
    AGGREGATIONS,
    COMPARISONS,
    RANGE_FUNCTIONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Kind,
    Matcher,
    Matching,
    Negative,
    Node,
    Number,
    Selector,
    compiled,
    kind_of,
)
from serve_app.alerts.promql.words import BadExpression, Word, seconds, unquoted, words

_T = TypeVar("_T")

MAX_CHARS: Final = 4000
_MAX_DEPTH: Final = 40
_LEVELS: Final = {
    "or": 1, "and": 2, "unless": 2, **dict.fromkeys(COMPARISONS, 3),
    "+": 4, "-": 4, "*": 5, "/": 5, "%": 5, "^": 6,
}  # fmt: skip
_TAKES: Final[dict[str, tuple[Kind, ...]]] = {
    **dict.fromkeys(RANGE_FUNCTIONS, ("range",)),
    "absent": ("vector",),
    "clamp_max": ("vector", "scalar"),
    "clamp_min": ("vector", "scalar"),
    "histogram_quantile": ("scalar", "vector"),
}
_OTHERS: Final = frozenset(
    "topk bottomk quantile stddev stdvar group count_values limitk limit_ratio".split()
)


def parse(text: str) -> Node:
    """Read an expression that gives a vector or a number.

    Raises:
        BadExpression: it is no PromQL, or not of the part that is understood here.
    """
    if len(text) > MAX_CHARS:
        raise BadExpression(f"is longer than {MAX_CHARS} characters", text, MAX_CHARS)
    reader = _Reader(text)
    node = reader.expression(0)
    reader.expect_end()
    if kind_of(node) == "range":
        raise BadExpression("a range such as [5m] needs a function such as rate()", text, 0)
    return node


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._words = words(text)
        self._next = 0
        self._depth = 0

    # ------------------------------------------------------------------ operators

    def expression(self, level: int) -> Node:
        """Operators that bind tighter than `level`."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._problem("is nested too deeply", self._word)
        left = self._unary()
        while _LEVELS.get(self._word.text, 0) > level and self._word.kind in ("sign", "name"):
            left = self._binary(left, self._take())
        self._depth -= 1
        return left

    def _binary(self, left: Node, op: Word) -> Node:
        as_bool = self._took("bool")
        matching = self._matching()
        own = _LEVELS[op.text]
        right = self.expression(own - 1 if op.text == "^" else own)
        self._check_operands(op, left, right, matching, as_bool=as_bool)
        return Binary(op.text, left, right, as_bool, matching or Matching())

    def _check_operands(
        self, op: Word, left: Node, right: Node, matching: Matching | None, *, as_bool: bool
    ) -> None:
        kinds = kind_of(left), kind_of(right)
        if "range" in kinds:
            raise self._problem("a range such as [5m] needs a function such as rate()", op)
        if as_bool and op.text not in COMPARISONS:
            raise self._problem("`bool` belongs to comparisons", op)
        if kinds == ("scalar", "scalar") and op.text in COMPARISONS and not as_bool:
            raise self._problem("a comparison of two numbers needs `bool`", op)
        if op.text in SETS and "scalar" in kinds:
            raise self._problem(f"`{op.text}` needs a vector on both sides", op)
        if matching is not None and "scalar" in kinds:
            raise self._problem("`on` and `ignoring` need a vector on both sides", op)

    def _matching(self) -> Matching | None:
        on = self._took("on")
        if not on and not self._took("ignoring"):
            return None
        labels = self._names()
        if self._word.text in ("group_left", "group_right"):
            raise self._unknown(self._word)
        return Matching(on, labels)

    def _unary(self) -> Node:
        if self._word.kind == "sign" and self._word.text in "+-":
            sign = self._take()
            operand = self.expression(_LEVELS["^"] - 1)
            if kind_of(operand) == "range":
                raise self._problem("a range such as [5m] needs a function such as rate()", sign)
            return Negative(operand) if sign.text == "-" else operand
        return self._ranged(self._primary())

    # ------------------------------------------------------------------- operands

    def _primary(self) -> Node:
        word = self._take()
        if word.text == "(":
            inner = self.expression(0)
            self._expect(")")
            return inner
        if word.kind == "number":
            return Number(float(word.text))
        if word.kind == "name":
            return self._named(word)
        if word.text == "{":
            raise self._problem("a selector needs the name of its metric before `{`", word)
        if word.kind == "end":
            raise self._problem("something is missing at the end", word)
        raise self._problem(f"{word.text!r} cannot stand here", word)

    def _named(self, word: Word) -> Node:
        lower = word.text.lower()
        if lower in ("inf", "nan"):
            return Number(math.inf if lower == "inf" else math.nan)
        if word.text in AGGREGATIONS and self._word.text in ("(", "by", "without"):
            return self._aggregate(word)
        if self._word.text == "(" or word.text in _OTHERS:
            return self._call(word)
        if word.text in SETS or word.text in ("bool", "on", "by"):
            raise self._problem(f"{word.text!r} cannot stand here", word)
        matchers = self._matchers() if self._word.text == "{" else ()
        return Selector(word.text, matchers, 0.0, 0.0)

    def _aggregate(self, word: Word) -> Node:
        before = self._grouping()
        self._expect("(")
        inner = self.expression(0)
        self._expect(")")
        labels, without = before or self._grouping() or ((), False)
        self._check_kind(word, inner, "vector")
        return Aggregate(word.text, inner, labels, without)

    def _grouping(self) -> tuple[tuple[str, ...], bool] | None:
        if self._word.text not in ("by", "without"):
            return None
        without = self._take().text == "without"
        return self._names(), without

    def _call(self, word: Word) -> Node:
        takes = _TAKES.get(word.text)
        if takes is None:
            raise self._unknown(word)
        self._expect("(")
        args = self._listed(lambda: self.expression(0))
        if len(args) != len(takes):
            raise self._problem(f"{word.text}() takes {len(takes)} arguments", word)
        for arg, kind in zip(args, takes, strict=True):
            self._check_kind(word, arg, kind)
        return Call(word.text, args)

    def _check_kind(self, word: Word, arg: Node, kind: Kind) -> None:
        if kind_of(arg) != kind:
            wants = {"range": "a range such as metric[5m]", "scalar": "a number"}
            wanted = wants.get(kind, "a vector, without a range")
            raise self._problem(f"{word.text}() takes {wanted} here", word)

    def _ranged(self, node: Node) -> Node:
        """`[5m]` and `offset 1h` after a selector."""
        while self._word.text in ("[", "offset", "@"):
            word = self._take()
            if word.text == "@" or not isinstance(node, Selector):
                raise self._unknown(word)
            if word.text == "offset":
                node = Selector(node.name, node.matchers, node.range_s, self._duration())
            else:
                node = Selector(node.name, node.matchers, self._duration(), node.offset_s)
                if self._word.text == ":":
                    raise self._unknown(self._word)
                self._expect("]")
        return node

    def _duration(self) -> float:
        word = self._take()
        if word.kind != "duration" or seconds(word.text) <= 0:
            raise self._problem("a duration such as 5m belongs here", word)
        return seconds(word.text)

    # --------------------------------------------------------------------- labels

    def _matchers(self) -> tuple[Matcher, ...]:
        self._take()
        return self._listed(self._matcher, "}")

    def _matcher(self) -> Matcher:
        name, op, value = self._take(), self._take(), self._take()
        if name.kind != "name" or ":" in name.text:
            raise self._problem("the name of a label belongs here", name)
        if op.text not in ("=", "!=", "=~", "!~"):
            raise self._problem("one of = != =~ !~ belongs here", op)
        if value.kind != "text":
            raise self._problem("a quoted text belongs here", value)
        said = unquoted(value.text)
        if op.text in ("=", "!="):
            return Matcher(name.text, op.text, said)
        try:
            return Matcher(name.text, op.text, said, compiled(said))
        except re2.error:
            raise self._problem("is no regular expression of RE2", value) from None

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        return self._listed(self._label)

    def _label(self) -> str:
        word = self._take()
        if word.kind != "name" or ":" in word.text:
            raise self._problem("the name of a label belongs here", word)
        return word.text

    # ---------------------------------------------------------------------- words

    @property
    def _word(self) -> Word:
        return self._words[self._next]

    def _take(self) -> Word:
        word = self._words[self._next]
        if word.kind != "end":
            self._next += 1
        return word

    def _took(self, text: str) -> bool:
        if self._word.text != text:
            return False
        self._take()
        return True

    def _listed(self, one: Callable[[], _T], end: str = ")") -> tuple[_T, ...]:
        """Things with commas between them (and one after the last, if need be), up to `end`."""
        found: list[_T] = []
        while not self._took(end):
            found.append(one())
            if not self._took(","):
                self._expect(end)
                break
        return tuple(found)

    def _expect(self, sign: str) -> None:
        word = self._take()
        if word.text != sign:
            raise self._problem(f"{sign!r} is missing", word)

    def expect_end(self) -> None:
        if self._word.kind != "end":
            raise self._problem(f"{self._word.text!r} cannot stand here", self._word)

    def _unknown(self, word: Word) -> BadExpression:
        return self._problem(f"{word.text!r} is not understood here; see docs/alerts.md", word)

    def _problem(self, what: str, word: Word) -> BadExpression:
        return BadExpression(what, self._text, word.place)
