"""The log of a process: lines of JSON without secrets. Set up by whoever owns the process."""

from __future__ import annotations

from functools import partial

from serve_app.config.log_policy import LogPolicy
from serve_app.filters.secrets.finder import TAGS, SecretsFinder
from serve_app.observe import process_log

_MOST_CHARS = 20_000
"""Of one text. A traceback has seldom more."""


def begin_log() -> None:
    """Let this process write lines from now on; how, a policy says later (`adjust_log`)."""
    process_log.begin(LogPolicy(), partial(_redacted, SecretsFinder()))


def adjust_log(policy: LogPolicy) -> None:
    """Use another policy, where `begin_log` was called."""
    process_log.adjust(policy)


def _redacted(finder: SecretsFinder, text: str) -> str:
    """The text without what the filter's rules take for a secret."""
    text = text[:_MOST_CHARS]
    for match in reversed(finder.find(text)):
        text = f"{text[: match.start]}{TAGS[match.kind]}{text[match.end :]}"
    return text
