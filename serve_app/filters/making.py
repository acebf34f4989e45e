"""Makes the rules of a policy ready for use; whatever is wrong with one is found here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import cast

from serve_app.config import policy as policies
from serve_app.config.policy import FilterPolicy, Where
from serve_app.core.errors import PolicyRejected
from serve_app.filters.asking import AskRule
from serve_app.filters.base import Classifier, Finder
from serve_app.filters.callable import CallableFinder
from serve_app.filters.injection import Detector
from serve_app.filters.leak import LeakFinders
from serve_app.filters.leaking import LeakRule
from serve_app.filters.normalize import fold
from serve_app.filters.pii.finder import PiiFinder
from serve_app.filters.pii.name import NameFinder
from serve_app.filters.regex import RegexFinder
from serve_app.filters.replace import key_of, keyed, label_of, mask
from serve_app.filters.rules import ANSWERS, Head, head, length_head, written
from serve_app.filters.secrets.finder import SecretsFinder
from serve_app.filters.selection import Rule
from serve_app.filters.stream import Replace
from serve_app.filters.together import Together
from serve_app.filters.words import WordsFinder
from serve_app.filters.works import Label, SpanRule, TextRule

_COST_NS = {
    "pii": 40, "secrets": 15, "words": 40, "regex": 10, "injection": 60, "leak": 60,
    "callable": 1_000_000, "length": 0,
}  # fmt: skip
"""About the CPU time that a byte takes, so that work that is long leaves the event loop. What
other people's code takes is not known, so that it always does."""

_Spanning = (
    policies.PiiRule
    | policies.SecretsRule
    | policies.WordsRule
    | policies.RegexRule
    | policies.CallableRule
)
_CANARY_SECRET = b"serve-app canary"
_LONGEST_NAME, _NAMES_TIMEOUT_S = 400, 5.0


class Maker:
    """Makes rules.

    Args:
        environ: where the keys of rules are.
        classifiers: models that rules may ask, by `source`.
    """

    def __init__(self, environ: Mapping[str, str], classifiers: Mapping[str, Classifier]) -> None:
        self._environ = environ
        self._classifiers = classifiers
        self._detector: Detector | None = None

    def rules(self, policy: FilterPolicy) -> list[Rule]:
        """All rules of a policy, in order.

        Raises:
            PolicyRejected: names the rule and the field.
        """
        rules: list[Rule] = []
        if policy.enabled and policy.max_input_chars is not None:
            rules.append(_length(policy.max_input_chars, policy))
        for place, rule in written(policy):
            rules.append(self._made(place, rule, head(rule, policy)))
        return rules

    def _made(self, place: str, rule: policies.FilterRule, head: Head) -> Rule:
        match rule:
            case policies.InjectionRule():
                return self._injection(place, rule, head)
            case policies.ClassifierRule():
                return self._asking(place, rule, head)
            case policies.WordsRule(mode="allow"):
                return _allowing(place, rule, head)
            case policies.LeakRule():
                return self._leak(place, rule, head)
        return self._spanning(place, rule, head)

    def _leak(self, place: str, rule: policies.LeakRule, head: Head) -> LeakRule:
        if stray := head.where - ANSWERS:
            raise PolicyRejected(
                f"{place}.where: {', '.join(sorted(stray))}: only answers can leak a system prompt"
            )
        if rule.replace == "reversible":
            raise PolicyRejected(f"{place}.replace: `reversible` is not for answers")
        # Without a key a canary hangs on the prompt alone, and who knows that needs no canary.
        secret = self._environ.get(rule.key_env, "").encode() or _CANARY_SECRET
        finders = LeakFinders(rule.overlap_words, secret if rule.canary else None)
        replace, key = self._replacement(place, rule, head)
        digest = hashlib.sha256(secret).hexdigest() + key
        return LeakRule(head, finders, replace, _COST_NS["leak"], digest)

    def _injection(self, place: str, rule: policies.InjectionRule, head: Head) -> TextRule:
        _only_requests(place, head)
        detector = self._detector = self._detector or Detector()

        def judge(text: str, where: str) -> Sequence[str]:
            score = detector.score(text, fold(text), cast("Where", where))
            return score.signals if score.total >= rule.threshold else ()

        return TextRule(head, judge, _COST_NS["injection"])

    def _asking(self, place: str, rule: policies.ClassifierRule, head: Head) -> AskRule:
        _only_requests(place, head)
        classifier = self._classifiers.get(rule.source)
        if classifier is None:
            known = ", ".join(sorted(self._classifiers)) or "none"
            raise PolicyRejected(f"{place}.source: {rule.source!r} is not there; known: {known}")
        return AskRule(head, rule, classifier)

    def _spanning(self, place: str, rule: _Spanning, head: Head) -> SpanRule:
        finder, digest = self._finder(place, rule, head)
        replace, key = self._replacement(place, rule, head)
        is_foreign = isinstance(rule, policies.CallableRule) or (
            isinstance(rule, policies.PiiRule) and rule.ner is not None
        )
        return SpanRule(
            head,
            finder,
            replace,
            _labels(rule.kind),
            _COST_NS["callable" if is_foreign else rule.kind],
            digest + key,
            is_foreign=is_foreign,
        )

    def _finder(self, place: str, rule: _Spanning, head: Head) -> tuple[Finder, str]:
        """A finder, and the digest of what it has read."""
        if isinstance(rule, policies.WordsRule):
            words = WordsFinder(rule, place)
            return words, words.digest
        if isinstance(rule, policies.RegexRule):
            streams = bool(head.where & ANSWERS)
            return RegexFinder(rule.pattern, rule.ignore_case, place, on_streams=streams), ""
        if isinstance(rule, policies.CallableRule):
            return CallableFinder(rule.function, rule.longest, rule.timeout_s, place), ""
        if isinstance(rule, policies.SecretsRule):
            return SecretsFinder(), ""
        return _pii(place, rule, head), ""

    def _replacement(
        self, place: str, rule: _Spanning | policies.LeakRule, head: Head
    ) -> tuple[Replace | None, str]:
        """What is put in place of a match (None: a placeholder), and a digest of its key."""
        if rule.replace == "reversible":
            if "output" in head.where:
                raise PolicyRejected(
                    f"{place}.replace: `reversible` is not for `output`: there is nothing that "
                    "could be given back; use a rule of its own there"
                )
            return None, ""
        label = _labels(rule.kind)
        if rule.replace == "mask":
            return mask, ""
        if rule.replace == "tag":
            return lambda kind, _: f"[{label(kind)}]", ""
        digest = keyed(key_of(place, rule.key_env, self._environ))
        return lambda kind, value: digest(label(kind), value), digest("", "")


def _length(limit: int, policy: FilterPolicy) -> TextRule:
    def judge(text: str, _: str) -> Sequence[str]:
        return ("length",) if len(text) > limit else ()

    return TextRule(length_head(policy), judge, _COST_NS["length"])


def _allowing(place: str, rule: policies.WordsRule, head: Head) -> TextRule:
    """A topic: what users say must have one of its words."""
    _only_requests(place, head)
    words = WordsFinder(rule, place)

    def judge(text: str, where: str) -> Sequence[str]:
        return () if where != "input" or words.has_any(text) else ("word",)

    return TextRule(head, judge, _COST_NS["words"], words.digest)


def _pii(place: str, rule: policies.PiiRule, head: Head) -> Finder:
    kinds = [kind for kind in rule.kinds if kind != "name"]
    finders: list[Finder] = []
    try:
        if kinds or not rule.kinds:
            finders.append(PiiFinder(kinds))
    except ValueError as error:
        raise PolicyRejected(f"{place}.{error}") from None
    if "name" in rule.kinds:
        finders.append(_names(place, rule, head))
    return finders[0] if len(finders) == 1 else Together(finders)


def _names(place: str, rule: policies.PiiRule, head: Head) -> Finder:
    """Names, by the function that the rule names."""
    if rule.ner is None:
        raise PolicyRejected(f"{place}.ner: names need a recogniser, `module:function`")
    if head.where & ANSWERS:
        raise PolicyRejected(
            f"{place}.kinds: `name` is not for `output` and `tool_arguments`: what is a name hangs "
            "on the whole text, and an answer is sent while it comes"
        )
    asked = CallableFinder(rule.ner, _LONGEST_NAME, _NAMES_TIMEOUT_S, place)
    return NameFinder(lambda text: [(match.start, match.end) for match in asked.find(text)])


def _only_requests(place: str, head: Head) -> None:
    if "output" in head.where:
        raise PolicyRejected(
            f"{place}.where: {head.name!r} judges texts as a whole, and an answer is sent while it "
            "comes; `output` cannot be had"
        )


def _labels(kind: str) -> Label:
    """How a match of a rule of this kind is called in its place."""
    if kind == "pii":
        return label_of
    name = "SECRET" if kind == "secrets" else "REDACTED"
    return lambda _: name
