"""Addresses of crypto wallets, by their checksums: Base58Check (Bitcoin, Litecoin, Dogecoin,
Dash, Tron), Bech32 and Bech32m (BIP 173, BIP 350), Ethereum (EIP-55)."""

from __future__ import annotations

import hashlib

from serve_app.filters.pii.keccak import keccak_256
from serve_app.filters.shapes.form import NO, Form
from serve_app.filters.shapes.neighbours import is_word
from serve_app.filters.shapes.shape import BORDER, any_of, chars, text, then, times

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_SUMS = (1, 0x2BC830A3)
# Version bytes of pay-to-public-key-hash and pay-to-script-hash addresses.
_VERSIONS = bytes([0x00, 0x05, 0x30, 0x32, 0x1E, 0x16, 0x4C, 0x10, 0x41])

_LEGACY = then(BORDER, chars("13LMDAX79T"), times(chars("1-9A-HJ-NP-Za-km-z"), 24, 34))
_SEGWIT = then(
    BORDER,
    any_of(text("bc1"), text("tb1"), text("ltc1"), text("BC1"), text("TB1"), text("LTC1")),
    times(chars("02-9ac-hj-np-zAC-HJ-NP-Z"), 11, 74),
)
_ETHEREUM = then(BORDER, text("0x"), times(chars("0-9a-fA-F"), 40))


def base58check(address: str) -> bytes | None:
    """Version and payload; None if the checksum (of a double SHA-256) is wrong."""
    number = 0
    for c in address:
        number = number * 58 + _BASE58.index(c)
    zeros = len(address) - len(address.lstrip("1"))
    raw = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    digest = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()
    return raw[:-4] if raw[-4:] == digest[:4] else None


def bech32(address: str) -> bool:
    """True if the checksum is that of Bech32 or Bech32m; mixed case is not allowed."""
    if address not in {address.lower(), address.upper()}:
        return False
    prefix, _, data = address.lower().rpartition("1")
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    return _polymod(values + [_BECH32.index(c) for c in data]) in _BECH32_SUMS


def _polymod(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATORS):
            total ^= generator if (top >> i) & 1 else 0
    return total


def eip55(digits: str) -> bool:
    """True if 40 hexadecimal digits are all of one case, or their case is the checksum."""
    if digits in {digits.lower(), digits.upper()}:
        return True
    digest = keccak_256(digits.lower().encode()).hex()
    return all(
        c.isdigit() or c.isupper() == (h >= "8") for c, h in zip(digits, digest, strict=False)
    )


def _judge_legacy(text: str, start: int, end: int) -> int:
    if is_word(text[end : end + 1]):
        return NO
    raw = base58check(text[start:end])
    return end if raw and len(raw) == 21 and raw[0] in _VERSIONS else NO


def _judge_segwit(text: str, start: int, end: int) -> int:
    return end if not is_word(text[end : end + 1]) and bech32(text[start:end]) else NO


def _judge_ethereum(text: str, start: int, end: int) -> int:
    return end if not is_word(text[end : end + 1]) and eip55(text[start + 2 : end]) else NO


WALLET = (
    Form("wallet", _LEGACY, _judge_legacy, r"\b[13LMDAX79T][1-9A-HJ-NP-Za-km-z]{24}", behind=""),
    Form("wallet", _SEGWIT, _judge_segwit, r"(?i:\b(?:bc|tb|ltc)1[a-z0-9]{11})", behind=""),
    Form("wallet", _ETHEREUM, _judge_ethereum, r"0x[0-9a-fA-F]{8}", behind=""),
)
