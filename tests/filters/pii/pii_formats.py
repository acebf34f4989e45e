"""Personal data from the grammars of its forms, and what only looks like it, for tables of recall
and precision.

Nothing here uses the code it judges: check digits are found by trial against their definitions.
"""

from __future__ import annotations

import hashlib
import ipaddress
import string
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

from labelled import Source

_LETTERS = string.ascii_uppercase
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _wrong_digit(rng: Random, number: str, place: int = -1) -> str:
    """The number with another digit at a place."""
    chars = list(number)
    chars[place] = rng.choice([d for d in string.digits if d != chars[place]])
    return "".join(chars)


# e-mail


def email(rng: Random) -> str:
    name = "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(1, 12)))
    middle = rng.choice(["", ".", "_", "-", "+"])
    tail = "".join(rng.choices(string.ascii_lowercase, k=4)) if middle else ""
    hosts = ["qq.com", "163.com", "example.co.uk", "mail.corp.example.org", "xn--fiqs8s.cn"]
    return f"{name}{middle}{tail}@{rng.choice(hosts)}"


def no_email(rng: Random) -> str:
    word = "".join(rng.choices(string.ascii_lowercase, k=6))
    return rng.choice(
        [f"@{word}", f"{word}@", f"{word}@{word}", f"git@{word}.com", f"{word}@2x.png",
         f"{word}@1.{rng.randint(0, 9)}.3", f"{word} @ {word}.com", f"{word}@.com"]
    )  # fmt: skip


# phones


def _mobile(rng: Random) -> str:
    a, b, c = "1" + rng.choice("3456789") + digits(rng, 1), digits(rng, 4), digits(rng, 4)
    sep = rng.choice(["", " ", "-"])
    return rng.choice(["", "", "+86 ", "+86-", "0086 ", "(+86)", "86"]) + sep.join([a, b, c])


def _landline(rng: Random) -> str:
    area, length = rng.choice([("010", 8), ("021", 8), ("0755", 8), ("0512", 8), ("0851", 7)])
    number = rng.choice("2345678") + digits(rng, length - 1)
    form = rng.choice(["{}-{}", "{} {}", "({}){}", "({}) {}"])
    return form.format(area, number) + rng.choice(["", "", "-8001"])


def _service(rng: Random) -> str:
    head = rng.choice(["400", "800"])
    return rng.choice(
        [f"{head}-{digits(rng, 3)}-{digits(rng, 4)}", f"{head} {digits(rng, 3)} {digits(rng, 4)}",
         f"{head}-{digits(rng, 4)}-{digits(rng, 3)}", f"{head}-{digits(rng, 7)}"]
    )  # fmt: skip


def _american(rng: Random) -> str:
    a, b = (rng.choice("23456789") + digits(rng, 2) for _ in range(2))
    form = rng.choice(
        ["({}) {}-{}", "{}-{}-{}", "{}.{}.{}", "+1 {} {} {}", "+1{}{}{}", "+1 ({}) {}-{}",
         "1-{}-{}-{}"]
    )  # fmt: skip
    return form.format(a, b, digits(rng, 4))


def _international(rng: Random) -> str:
    code, groups = rng.choice(
        [("44", (2, 4, 4)), ("33", (1, 2, 2, 2, 2)), ("49", (2, 7)), ("81", (1, 4, 4)),
         ("91", (5, 5)), ("65", (4, 4)), ("852", (4, 4)), ("55", (2, 5, 4))]
    )  # fmt: skip
    parts = [rng.choice("123456789") + digits(rng, n - 1) for n in groups]
    return f"+{code}" + rng.choice(["", " ", "-"]).join(["", *parts])


def phone(rng: Random) -> str:
    return rng.choice([_mobile, _landline, _service, _american, _international])(rng)


def no_phone(rng: Random) -> str:
    mobile = "138" + digits(rng, 8)
    return rng.choice(
        [f"ORD-{mobile}", f"#{mobile}", f"order_{mobile}", f"{mobile}0{digits(rng, 8)}",
         f"0.{mobile}", f"20{digits(rng, 2)}-0{rng.randint(1, 9)}-1{digits(rng, 1)}",
         f"17{digits(rng, 8)}", f"17{digits(rng, 11)}", f"138-{digits(rng, 4)}-{digits(rng, 4)}-12",
         f"{digits(rng, 3)} {digits(rng, 3)} 0{digits(rng, 3)}", f"1,{digits(rng, 3)},380,013",
         f"v1.2.3-{digits(rng, 1)}"]
    )  # fmt: skip


# Chinese resident ID


def _birthday(rng: Random, first: date = date(1930, 1, 1)) -> date:
    return first + timedelta(days=rng.randrange(25_000))


def _id_check(head: str) -> str:
    """GB 11643-1999: the character that makes the sum of a_i * 2^(i-1) equal 1 modulo 11."""
    for check in "0123456789X":
        values = [int(c) for c in head] + [10 if check == "X" else int(check)]
        if sum(v * pow(2, 17 - i, 11) for i, v in enumerate(values)) % 11 == 1:
            return check
    raise AssertionError(head)


def _area(rng: Random) -> str:
    return rng.choice(["1101", "3101", "4403", "5101", "3301", "6501"]) + "0" + rng.choice("123456")


def cn_id(rng: Random) -> str:
    born = _birthday(rng)
    if rng.random() < 0.15:
        if born.year >= 2000:
            born = born.replace(year=1999, day=1)
        return f"{_area(rng)}{born:%y%m%d}{digits(rng, 3)}"
    head = f"{_area(rng)}{born:%Y%m%d}{digits(rng, 3)}"
    number = head + _id_check(head)
    if rng.random() < 0.2:
        sep = rng.choice(" -")
        return sep.join([number[:6], number[6:14], number[14:]])
    return number.lower() if rng.random() < 0.2 else number


def no_cn_id(rng: Random) -> str:
    head = f"{_area(rng)}{_birthday(rng):%Y%m%d}{digits(rng, 3)}"
    good = _id_check(head)
    wrong = rng.choice([c for c in "0123456789" if c != good])
    bad_day = f"{head[:6]}19901332{head[14:]}"
    bad_area = "00" + head[2:]
    return rng.choice(
        [head + wrong, bad_day + _id_check(bad_day), bad_area + _id_check(bad_area),
         f"X{head}{good}", f"{head}{good}{digits(rng, 2)}", f"1101019013{digits(rng, 5)}",
         f"110101900231{digits(rng, 3)}"]
    )  # fmt: skip


# cards


def _luhn_check(head: str) -> str:
    """ISO/IEC 7812-1: the digit with which every second one, doubled, sums to a multiple of 10."""
    for check in string.digits:
        total = 0
        for i, c in enumerate(reversed(head + check)):
            value = int(c) * (2 if i % 2 else 1)
            total += value - 9 if value > 9 else value
        if total % 10 == 0:
            return check
    raise AssertionError(head)


_ISSUERS = [
    ("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("3530", 16),
    ("62", 16), ("621700", 19), ("622202", 19), ("36", 14), ("4", 13),
]  # fmt: skip


def card_number(rng: Random) -> str:
    issuer, length = rng.choice(_ISSUERS)
    head = issuer + digits(rng, length - len(issuer) - 1)
    return head + _luhn_check(head)


def grouped(number: str, rng: Random) -> str:
    sep = rng.choice(["", "", " ", "-"])
    if len(number) == 15:
        return sep.join([number[:4], number[4:10], number[10:]])
    if len(number) == 14:
        return sep.join([number[:4], number[4:10], number[10:]])
    return sep.join(number[i : i + 4] for i in range(0, len(number), 4))


def card(rng: Random) -> str:
    return grouped(card_number(rng), rng)


def no_card(rng: Random) -> str:
    number = card_number(rng)
    return rng.choice(
        [grouped(_wrong_digit(rng, number), rng), f"A{number}", f"{number}.50", f"0.{number}",
         f"{number}_{digits(rng, 2)}", "1" + number[1:15], f"550e8400-e29b-41d4-a716-{number[:12]}"]
    )  # fmt: skip


# IBAN

_BANS: list[tuple[str, str]] = [
    ("DE", "9" * 18), ("GB", "AAAA" + "9" * 14), ("FR", "9" * 10 + "X" * 11 + "99"),
    ("NL", "AAAA" + "9" * 10), ("NO", "9" * 11), ("ES", "9" * 20), ("CH", "9" * 5 + "X" * 12),
    ("MT", "AAAA" + "9" * 5 + "X" * 18), ("AE", "9" * 19), ("SE", "9" * 20), ("BE", "9" * 12),
]  # fmt: skip


def _iban_check(country: str, account: str) -> str:
    """ISO 13616: two digits so that the number, turned and with letters as 10 to 35, leaves 1."""
    turned = "".join(str(int(c, 36)) for c in account + country)
    return f"{98 - int(turned + '00') % 97:02}"


def iban_number(rng: Random) -> str:
    country, form = rng.choice(_BANS)
    pools = {"9": string.digits, "A": _LETTERS, "X": _LETTERS + string.digits}
    account = "".join(rng.choice(pools[c]) for c in form)
    return country + _iban_check(country, account) + account


def iban(rng: Random) -> str:
    number = iban_number(rng)
    if rng.random() < 0.5:
        return number
    return " ".join(number[i : i + 4] for i in range(0, len(number), 4))


def no_iban(rng: Random) -> str:
    number = iban_number(rng)
    return rng.choice(
        [_wrong_digit(rng, number, 3), number[:-1], number + "7", "ZZ" + number[2:], "X" + number]
    )


# US social security number


def us_ssn(rng: Random) -> str:
    area = rng.choice([rng.randint(1, 665), rng.randint(667, 899)])
    parts = f"{area:03}", f"{rng.randint(1, 99):02}", f"{rng.randint(1, 9999):04}"
    if rng.random() < 0.1:
        return "SSN: \0" + "".join(parts)
    return rng.choice("--- ").join(parts)


def no_us_ssn(rng: Random) -> str:
    good = f"{rng.randint(100, 599)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"
    return rng.choice(
        ["000" + good[3:], "666" + good[3:], f"9{digits(rng, 2)}{good[3:]}", good[:4] + "00-1234",
         good[:7] + "0000", good + "-1", "1-" + good, "A" + good, good.replace("-", ""),
         good.replace("-", ".", 1), "12 " + good.replace("-", " "), good.replace("-", " ", 1),
         "078-05-1120"]
    )  # fmt: skip


# passports

_CUES = ["passport ", "Passport No. ", "passport number: ", "护照", "护照号码：", "护照号 ",
         "passport number is "]  # fmt: skip


def _passport_number(rng: Random) -> str:
    return rng.choice(
        [f"E{digits(rng, 8)}", f"G{digits(rng, 8)}", f"E{rng.choice('ABCDEFGH')}{digits(rng, 7)}",
         digits(rng, 9), f"{rng.choice('ABCX')}{digits(rng, 8)}", f"C01X{digits(rng, 5)}",
         f"{digits(rng, 2)}AB{digits(rng, 5)}", f"YA{digits(rng, 7)}", f"AAB{digits(rng, 6)}"]
    )  # fmt: skip


def passport(rng: Random) -> str:
    return f"{rng.choice(_CUES)}\0{_passport_number(rng)}"


def no_passport(rng: Random) -> str:
    number = _passport_number(rng)
    return rng.choice(
        [f"invoice {number}", f"订单{number}", f"model {number}", f"passport {number[:5]}",
         f"护照{number}7X9", "passport renewal", f"I lost my passport. Order {number}",
         f"passport_{number}"]
    )  # fmt: skip


# wallets


def _base58check(version: int, payload: bytes) -> str:
    raw = bytes([version]) + payload
    raw += hashlib.sha256(hashlib.sha256(raw).digest()).digest()[:4]
    number, text = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = _BASE58[digit] + text
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + text


def _polymod(values: list[int]) -> int:
    total = 1
    for value in values:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            total ^= generator if (top >> i) & 1 else 0
    return total


def _segwit(rng: Random, prefix: str, version: int, length: int) -> str:
    data = [version, *(rng.randrange(32) for _ in range(length))]
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    constant = 1 if version == 0 else 0x2BC830A3
    check = _polymod(expanded + data + [0] * 6) ^ constant
    data += [(check >> 5 * (5 - i)) & 31 for i in range(6)]
    return prefix + "1" + "".join(_BECH32[value] for value in data)


# EIP-55's own examples: nothing else here can make the checksum without the code it judges.
_EIP_55 = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]  # fmt: skip


def wallet(rng: Random) -> str:
    payload = rng.randbytes(20)
    return rng.choice(
        [_base58check(0, payload), _base58check(5, payload), _base58check(0x41, payload),
         _base58check(0x30, payload), _base58check(0x1E, payload), _segwit(rng, "bc", 0, 32),
         _segwit(rng, "bc", 1, 52), _segwit(rng, "ltc", 0, 32), "0x" + payload.hex(),
         rng.choice(_EIP_55)]
    )  # fmt: skip


def no_wallet(rng: Random) -> str:
    legacy, segwit = _base58check(0, rng.randbytes(20)), _segwit(rng, "bc", 0, 32)
    mixed = rng.choice(_EIP_55)
    return rng.choice(
        [legacy[:-1] + rng.choice([c for c in _BASE58 if c != legacy[-1]]),
         segwit[:-1] + rng.choice([c for c in _BECH32 if c != segwit[-1]]),
         mixed.swapcase().replace("0X", "0x"), "0x" + rng.randbytes(32).hex(),
         rng.randbytes(20).hex(),
         "0x" + rng.randbytes(4).hex(), legacy + "x"]
    )  # fmt: skip


# networks


def ip(rng: Random) -> str:
    if rng.random() < 0.5:
        return str(ipaddress.IPv4Address(rng.randrange(0x80000000, 0xFFFFFFFF)))
    address = ipaddress.IPv6Address((0x20010DB8 << 96) | rng.getrandbits(rng.choice([16, 64, 96])))
    return rng.choice([str(address), address.exploded])


def no_ip(rng: Random) -> str:
    four = [str(rng.randint(1, 255)) for _ in range(4)]
    return rng.choice(
        ["v" + ".".join(four), ".".join([*four[:3], "256"]), ".".join([*four, "7"]),
         ".".join(four[:3]), "12:30:45", "std::a1", "::1", "127.0.0.1", "a1::b2", "10:20",
         ".".join([*four[:3], "300"])]
    )  # fmt: skip


def mac(rng: Random) -> str:
    pairs = [f"{b:02x}" for b in rng.randbytes(6)]
    pairs[0] = rng.choice(["0a", "3c", "f4"])
    text = rng.choice([":".join(pairs), "-".join(pairs), ":".join(pairs).upper()])
    if rng.random() < 0.2:
        joined = "".join(pairs)
        return ".".join(joined[i : i + 4] for i in range(0, 12, 4))
    return text


def no_mac(rng: Random) -> str:
    pairs = [f"{b:02x}" for b in rng.randbytes(8)]
    return rng.choice(
        [":".join(pairs), "-".join(pairs), ":".join(pairs[:5]), "g" + ":".join(pairs[:6]),
         ":".join(pairs[:3]) + "-" + "-".join(pairs[3:6]), ":".join([*pairs[:5], "zz"])]
    )  # fmt: skip


_Maker = Callable[[Random], str]
SOURCES: dict[str, Source] = {
    "email": Source(email, no_email),
    "phone": Source(phone, no_phone),
    "cn_id": Source(cn_id, no_cn_id),
    "card": Source(card, no_card),
    "iban": Source(iban, no_iban),
    "us_ssn": Source(us_ssn, no_us_ssn),
    "passport": Source(passport, no_passport),
    "wallet": Source(wallet, no_wallet),
    "ip": Source(ip, no_ip),
    "mac": Source(mac, no_mac),
}
"""By kind: what makes a valid one and what makes one that only looks so. A `\\0` parts what stands
before from the thing itself."""
