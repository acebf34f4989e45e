"""Which language a caller is answered in: by `Accept-Language`, else by what was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_MAX_HEADER = 1000
_MAX_RANGES = 32
_MAX_LOOKED_AT = 2000

_RANGE = re.compile(
    r"(\*|[a-z]{1,8}(?:-[a-z0-9]{1,8})*)(?:\s*;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?"
)


def words_for(words: str | Mapping[str, str], accept: str | None, text: str) -> str:
    """The words to answer with.

    Args:
        words: one for all, or by language tag; not empty.
        accept: the caller's `Accept-Language`.
        text: what the caller wrote.
    """
    if isinstance(words, str):
        return words
    by_tag = {tag.lower(): said for tag, said in words.items()}
    for wanted in [*accepted(accept or ""), language_of(text), "en"]:
        if (tag := _match(wanted, by_tag)) is not None:
            return by_tag[tag]
    return next(iter(by_tag.values()))


def accepted(header: str) -> list[str]:
    """Language ranges of an `Accept-Language` header, the most wanted first; lower case.

    What is not well formed is left out, as are languages that are not wanted (`q=0`) and `*`,
    which wants nothing in particular.
    """
    ranges: list[tuple[float, str]] = []
    for item in header[:_MAX_HEADER].lower().split(",")[:_MAX_RANGES]:
        found = _RANGE.fullmatch(item.strip())
        if found is None or found[1] == "*":
            continue
        quality = float(found[2] or 1)
        if quality > 0:
            ranges.append((quality, found[1]))
    return [tag for _, tag in sorted(ranges, key=lambda item: -item[0])]


def language_of(text: str) -> str:
    """`zh` for a text with Chinese characters, `ja` if there is kana among them, else nothing."""
    found = ""
    for char in text[:_MAX_LOOKED_AT]:
        if "\u3040" <= char <= "\u30ff":
            return "ja"
        if "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U0003ffff":
            found = "zh"
    return found


def _match(wanted: str, tags: Iterable[str]) -> str | None:
    """The tag that fits a range best: the same, a more general one (`zh` for `zh-hans-cn`), or
    else a more special one (`zh-cn` for `zh`)."""
    if not wanted:
        return None
    known = list(tags)
    general = wanted
    while general:
        if general in known:
            return general
        general = general.rpartition("-")[0]
    primary = wanted.partition("-")[0]
    return next((tag for tag in known if tag.partition("-")[0] == primary), None)
