"""A canonical request as one OpenAI-compatible provider takes it: bytes in, bytes out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct

from serve_app.backends.base import Call
from serve_app.backends.dialects.canonical_request import unsupported
from serve_app.backends.dialects.dropped import dropped_fields
from serve_app.config.backend_settings import HostedBackend

EXTENSIONS = ("cache_control", "reasoning_details", "is_error", "extra_content")
"""Fields of messages, their parts, tool calls and tools that callers of other APIs send and
OpenAI's does not have: some providers refuse a request for them, a few understand them."""

_IN_MESSAGES = "messages."

_MARKS: dict[str, dict[str, bool]] = {
    "bare": {},
    "partial": {"partial": True},
    "prefix": {"prefix": True},
    "vllm": {},
}
_GO_ON = {"continue_final_message": Raw(b"true"), "add_generation_prompt": Raw(b"false")}

Fields = dict[str, Raw]

_encode = msgspec.json.encode
_read_fields = msgspec.json.Decoder(Fields).decode
_read_list = msgspec.json.Decoder(list[Raw]).decode


class _Format(Struct, frozen=True):
    type: str = "text"


class _Last(Struct, frozen=True):
    """The last message of a request, as far as it matters here."""

    role: str
    content: Any = None
    tool_calls: list[Any] | None = None


_read_format = msgspec.json.Decoder(_Format | None).decode
_read_last = msgspec.json.Decoder(_Last).decode


class _Cuts:
    """What is taken out of requests for one model."""

    def __init__(self, dropped: Iterable[str], kept: Iterable[str]) -> None:
        names = frozenset(dropped)
        self.fields = frozenset(name for name in names if not name.startswith(_IN_MESSAGES))
        inner = {name.removeprefix(_IN_MESSAGES) for name in names - self.fields}
        self.nested = (frozenset(EXTENSIONS) - frozenset(kept)) | inner
        # One pass: 1.5 to 6 us for 4 kB where a search for each of four names takes 5 to 7, and
        # 0.3 ms for an image of 1 MB where they take 1.1.
        names_there = b"|".join(map(_escaped, sorted(self.nested)))
        self.is_there = re.compile(b'"(?:%b)"' % names_there if names_there else b"(?!)").search


class Rewriting:
    """What a provider's quirks change in a request."""

    def __init__(self, settings: HostedBackend) -> None:
        quirks = settings.quirks
        self._rename = dict(quirks.rename)
        self._prefix = quirks.prefix
        always = [] if quirks.stream_usage else ["stream_options"]
        dropped = dropped_fields(settings)
        self._of_model = {
            id_: _Cuts([*names, *always], quirks.keep) for id_, names in dropped.items()
        }
        self._else = _Cuts([*quirks.drop, *always], quirks.keep)

    def body(self, call: Call) -> bytes:
        """See `Dialect.body`: the same bytes where nothing is to be changed."""
        cuts = self._of_model.get(call.model, self._else)
        is_foreign = cuts.is_there(call.body) is not None
        if not (is_foreign or call.prefix or cuts.fields or self._rename):
            return call.body
        fields = _read_fields(call.body)
        unwanted = cuts.fields & fields.keys()
        misnamed = self._rename.keys() & fields.keys() - unwanted
        if not (is_foreign or call.prefix or unwanted or misnamed):
            return call.body
        for name in unwanted:
            del fields[name]
        for name in misnamed:
            value = fields.pop(name)
            fields.setdefault(self._rename[name], value)
        if is_foreign:
            for name in {"messages", "tools"} & fields.keys():
                fields[name] = _without(fields[name], cuts.nested)
        if call.prefix:
            fields |= self._begun(fields, call.prefix)
        return _encode(fields)

    def _begun(self, fields: Fields, prefix: str) -> Fields:
        """The changes that hand over the beginning of an answer.

        Raises:
            AttemptFailed: the provider takes none, or none of an answer in a fixed form (it
                would hold what it adds to the form from its start).
        """
        if self._prefix == "none":
            raise unsupported("the provider", "way to go on from an answer", "messages")
        wanted = _read_format(fields.get("response_format", b"null"))
        if wanted is not None and wanted.type != "text":
            raise unsupported("the provider", "way to go on in a fixed form", "response_format")
        *messages, last = _read_list(fields["messages"])
        said = _read_last(last)
        if said.role == "assistant" and isinstance(said.content, str) and not said.tool_calls:
            # The caller had begun it already.
            begun: dict[str, object] = {**_read_fields(last), "content": said.content + prefix}
        else:
            messages.append(last)
            begun = {"role": "assistant", "content": prefix}
        begun |= _MARKS[self._prefix]
        changes = {"messages": Raw(_encode([*messages, begun]))}
        return changes | _GO_ON if self._prefix == "vllm" else changes


def _escaped(name: str) -> bytes:
    return re.escape(name).encode()


def _without(items: Raw, names: frozenset[str]) -> Raw:
    """A list of objects without some of their fields, and of those of the lists in them."""
    try:
        cut = [_cut(_read_fields(item), names) for item in _read_list(items)]
    except msgspec.ValidationError:  # not of that shape: for the provider to judge
        return items
    return Raw(_encode(cut))


def _cut(fields: Fields, names: frozenset[str]) -> Fields:
    kept = {name: value for name, value in fields.items() if name not in names}
    for inner in ("content", "tool_calls"):
        value = kept.get(inner)
        if value is not None and bytes(value).startswith(b"["):
            kept[inner] = _without(value, names)
    return kept
