"""Addresses of machines: IPv4, IPv6 (RFC 4291) and MAC (IEEE 802, EUI-48)."""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import begins_alone, ends_alone, is_word
from serve_app.filters.shapes.shape import (
    BORDER,
    NO_BORDER,
    any_of,
    chars,
    digits,
    text,
    then,
    times,
)

_HEX = chars("0-9A-Fa-f")
_V4 = then(BORDER, times(then(digits(1, 3), text(".")), 3), digits(1, 3))
_V6 = any_of(
    then(BORDER, times(_HEX, 1, 4), text(":"), times(chars("0-9A-Fa-f:."), 1, 40)),
    then(NO_BORDER, text("::"), times(chars("0-9A-Fa-f:."), 1, 40)),
)
_PAIR = times(_HEX, 2)
_MAC = any_of(
    then(BORDER, _PAIR, times(then(chars(r":\-"), _PAIR), 5)),
    then(BORDER, times(_HEX, 4), times(then(text("."), times(_HEX, 4)), 2)),
)
_ONE_SEPARATOR = re.compile(r"..([:\-])..(?:\1..){4}|(?=.*[A-Fa-f])[^:\-]+")
_PAIR_LENGTH = 2


def _judge_v4(text: str, start: int, end: int) -> int:
    if not (begins_alone(text, start) and ends_alone(text, end)):
        return NO
    try:
        address = IPv4Address(text[start:end])
    except AddressValueError:
        return NO
    return NO if address.is_loopback or address.is_unspecified else end


def _judge_v6(text: str, start: int, end: int) -> int:
    if text[max(0, start - 1) : start] == ":":
        return NO
    stop = start + len(text[start:end].rstrip(":."))
    if text[stop:end].startswith("::"):
        stop += 2
    if text[stop : stop + 1] == "_" or is_word(text[stop : stop + 1]):
        return NO
    try:
        address = IPv6Address(text[start:stop])
    except AddressValueError:
        return NO
    return stop if _is_telling(text[start:stop], address) else NO


def _is_telling(written: str, address: IPv6Address) -> bool:
    """False for `a::b`, of which code is full, for `::1`, and for a row of pairs."""
    enough = any(len(group) > _PAIR_LENGTH for group in written.split(":"))
    return enough and any(c.isdigit() for c in written) and not address.is_loopback


def _judge_mac(text: str, start: int, end: int) -> int:
    """Longer rows of pairs are fingerprints of keys."""
    before, after = text[max(0, start - 1) : start], text[end : end + 2]
    if before in {":", "-", "."} or is_word(after[:1]) or after[:1] == "_":
        return NO
    if after[:1] in {":", "-"} and is_word(after[1:]):
        return NO
    return end if _ONE_SEPARATOR.fullmatch(text[start:end]) else NO


IP = (
    Form("ip", _V4, _judge_v4, r"\d\.\d{1,3}\.\d"),
    Form("ip", _V6, _judge_v6, ":[0-9A-Fa-f]{0,4}:", behind=""),
)
MAC = (
    Form(
        "mac",
        _MAC,
        _judge_mac,
        r"[0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-][0-9A-Fa-f]{2}[:\-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
        behind=r":\-",
    ),
)
