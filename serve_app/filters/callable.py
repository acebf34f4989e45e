"""Finds what a function of the policy's owner finds: imported by name, with a limit on its time."""

from __future__ import annotations

import importlib
import inspect
import itertools
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import TypeAlias

from serve_app.core.errors import PolicyRejected
from serve_app.filters.base import Match, RuleFailed

Function: TypeAlias = Callable[[str], Iterable[tuple[int, int]]]
"""A text to ranges of it, as (start, end) in characters, in any order. Whether a range is one must
depend on nothing but `longest` characters before its start and behind it: the function gets texts
in pieces where they arrive so. It is called from several threads at once."""

_MOST_CALLS = 8
"""Calls of one function at once. One that never returns keeps its place: Python cannot end it."""


class CallableFinder:
    """Implements `filters.base.Finder` for one function. Of ranges that overlap the first counts,
    and of those that begin together the longest.

    `find` blocks for as long as the function takes: not for an event loop.

    Args:
        function: `package.module:name`; it is imported here.
        longest: characters of the longest range it gives.
        timeout_s: how long a call may wait for its turn, and how long it may take.
        place: where the rule stands, for error messages: `filter.rules['NAME']`.

    Raises:
        PolicyRejected: there is no such function; says why.
    """

    def __init__(self, function: str, longest: int, timeout_s: float, place: str) -> None:
        self._function = _imported(function, f"{place}.function: {function!r}")
        self._name = function
        self._timeout_s = timeout_s
        self._places = threading.BoundedSemaphore(_MOST_CALLS)
        self.longest = longest
        self.before = longest

    def find(self, text: str, start: int = 0) -> list[Match]:
        """
        Raises:
            RuleFailed: the function raised, took too long, or gave what is no range of the text.
        """
        matches: list[Match] = []
        for first, end in sorted(self._ranges(text), key=lambda r: (r[0], -r[1])):
            if first >= (matches[-1].end if matches else start):
                matches.append(Match("callable", first, end))
        return matches

    def undecided(self, text: str, start: int = 0) -> int:
        return max(start, len(text) - self.longest)

    def _ranges(self, text: str) -> list[tuple[int, int]]:
        answer = self._asked(text)
        if isinstance(answer, str):
            raise RuleFailed(f"{self._name}: {answer}")
        return answer

    def _asked(self, text: str) -> list[tuple[int, int]] | str:
        """The ranges, or what went wrong."""
        if not self._places.acquire(timeout=self._timeout_s):
            return f"{_MOST_CALLS} calls are still running"
        answers: SimpleQueue[list[tuple[int, int]] | str] = SimpleQueue()
        # A thread of its own, not one of a pool: it costs 0.1 ms, and one that never returns
        # neither blocks the calls behind it nor the end of the process.
        caller = threading.Thread(target=self._call, args=(text, answers), daemon=True)
        try:
            caller.start()
        except RuntimeError:
            self._places.release()
            return "no thread could be started"
        try:
            return answers.get(timeout=self._timeout_s)
        except Empty:
            return f"no answer in {self._timeout_s:g} s"

    def _call(self, text: str, answers: SimpleQueue[list[tuple[int, int]] | str]) -> None:
        try:
            # No text has more ranges of use than that, and a generator may have no end.
            given = list(itertools.islice(self._function(text), len(text) + 1))
            answers.put(self._checked(given, len(text)))
        except BaseException as error:  # noqa: BLE001 - code of others; its owner is told
            answers.put(f"raised {type(error).__name__}")
        finally:
            self._places.release()

    def _checked(self, given: list[tuple[int, int]], length: int) -> list[tuple[int, int]] | str:
        for one in given:
            if not _is_range(one, length):
                return "gave something that is no (start, end) within the text"
            if one[1] - one[0] > self.longest:
                return f"gave a range of more than {self.longest} characters, its `longest`"
        return [(int(start), int(end)) for start, end in given]


def _is_range(given: object, length: int) -> bool:
    match given:
        case (int(start), int(end)):
            return 0 <= start < end <= length
    return False


def _imported(path: str, place: str) -> Function:
    module_name, _, name = path.partition(":")
    try:
        found: object = importlib.import_module(module_name)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # noqa: BLE001 - a module of others may raise anything
        raise PolicyRejected(f"{place}: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise PolicyRejected(f"{place}: is not callable but a {type(found).__name__}")
    if inspect.iscoroutinefunction(found):
        raise PolicyRejected(f"{place}: is async; a plain function is needed")
    return found
