"""What the filter is given and what it says."""

from __future__ import annotations

from msgspec import Struct

Names = tuple[tuple[str, str], ...]
"""Placeholders and what they stand for, such as `("<EMAIL_1>", "ann@example.com")`."""


class Texts(Struct, frozen=True, gc=False):
    """Texts of a request in order, for the input filter.

    `places` says of each where it stands: `input`, `system`, `history`, `tool_results` or
    `tool_arguments`, as in a rule's `where`.
    """

    texts: tuple[str, ...]
    places: tuple[str, ...]
    tenant: str = "default"
    path: str = ""
    names: Names = ()
    """Placeholders that the conversation has already."""


class Finding(Struct, frozen=True, gc=False):
    """Matches of a rule. Never holds the matched text."""

    rule: str
    action: str
    count: int = 1


class Verdict(Struct, frozen=True):
    """`allow`, `redact` (then `texts` replaces the request's texts) or `block` (then `rule`)."""

    action: str = "allow"
    rule: str = ""
    findings: tuple[Finding, ...] = ()
    texts: tuple[str, ...] | None = None
    rules: str = ""
    """Digest of the rules that judged; empty: there are none."""
    warnings: tuple[str, ...] = ()
    """Names of the rules that the caller is to be told of."""
    vault: Names = ()
    """The placeholders that are new; the values never leave the gateway."""
    canary: str = ""
    """A sentence for the end of the system prompt; empty: none."""
    guards: tuple[str, ...] = ()
    """Places of the answer that rules look at: `output`, `tool_arguments`."""
    system: tuple[str, ...] = ()
    """What must not be told, for `Tail.system`; bounded."""


class Held(Struct, frozen=True, array_like=True, gc=False):
    """What an output filter holds back between two pieces of a text.

    Each rule has its own part, as rules follow one another: the first rule holds what came last.
    """

    rules: str
    """Digest of the rules that hold it."""
    parts: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """By rule, the end of what it is done with: neighbours of what comes."""

    @property
    def text(self) -> str:
        """All of it, in the order of the text."""
        return "".join(reversed(self.parts))


class Tail(Struct, frozen=True, gc=False):
    """A piece of an answer for the output filter: what was held back, and what is new."""

    held: Held | None
    new: str
    final: bool
    tenant: str = "default"
    place: str = "output"
    path: str = ""
    system: tuple[str, ...] = ()
    """As the verdict on the request said."""


class Released(Struct):
    """What may go out now and what is held back for the next call.

    `text + held.text` is the filtered form of `held.text + new` of the `Tail`; the same
    characters where nothing `changed`.
    """

    text: str
    held: Held | None = None
    changed: bool = False
    findings: tuple[Finding, ...] = ()
    rules: str = ""
    """Digest of the rules that were applied; empty: there are none."""
    blocked: str = ""
    """The rule that ends the answer here: `text` is the last of it."""
    warnings: tuple[str, ...] = ()
