"""What is personal data, what only looks like it, and how much of a stream is held for it."""

from __future__ import annotations

import pytest

from serve_app.filters.pii import KINDS, TAGS, NameFinder, PiiFinder

FINDER = PiiFinder()
EVERY = PiiFinder(list(KINDS))


def redacted(text: str, finder: PiiFinder = FINDER) -> str:
    for match in reversed(finder.find(text)):
        text = text[: match.start] + TAGS[match.kind] + text[match.end :]
    return text


@pytest.mark.parametrize(
    "number",
    [
        "13800138000", "138 0013 8000", "138-0013-8000", "+86 13800138000", "+86-138-0013-8000",
        "0086 13800138000", "(+86)13800138000", "8613800138000", "+8613800138000",
        "１３８００１３８０００", "138\u200b0013\u200b8000", "138–0013–8000",
        "138\u00a00013\u00a08000", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎",
        "+1 415 555 2671", "+14155552671", "+1 (415) 555-2671", "(415) 555-2671", "415-555-2671",
        "415.555.2671", "1-415-555-2671", "1 (415) 555-2671", "+44 20 7946 0958", "+442079460958",
        "+33 1 23 45 67 89", "+49 (0)30 123456", "+81-3-1234-5678", "+91 98765 43210",
        "010-62345678", "（021）62345678", "0755-86123456", "0851 8612345", "01062345678",
        "010-62345678-8001", "400-810-8888", "800-8208-820", "4008108888", "0086-10-62345678",
    ],
)  # fmt: skip
def test_phone_numbers(number: str) -> None:
    assert redacted(f"电话{number}，谢谢") == "电话[PHONE]，谢谢"
    assert redacted(f"Call {number}.") == "Call [PHONE]."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("张三-13800138000", "张三-[PHONE]"),
        ("Tel.13800138000", "Tel.[PHONE]"),
        ("13800138000,13900139000/13700137000", "[PHONE],[PHONE]/[PHONE]"),
        ("13800138000 13900139000", "[PHONE] [PHONE]"),
        ("+44 20 7946 0958 13800138000", "[PHONE] [PHONE]"),
        ("call(13800138000)", "call([PHONE])"),
        ("卡号4111 1111 1111 1111 123", "卡号[CARD] 123"),
        ("DE89 3704 0044 0532 0130 00 BANK", "[IBAN] BANK"),
        ("身份证11010519491231002X号", "身份证[CN_ID]号"),
        ("护照号码：E12345678。", "护照号码：[PASSPORT]。"),
        ("是SSN: 212934982", "是SSN: [US_SSN]"),
        ("<foo.bar+tag@mail.example.com>, mailto:a@b.co?x=1", "<[EMAIL]>, mailto:[EMAIL]?x=1"),
        ("f\u200boo＠bar.com好", "[EMAIL]好"),
    ],
)
def test_redacts_the_thing_and_nothing_else(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15", "2024-01-15T10:20:30+08:00", "20240115123456789", "ORD-13800138000",
        "SN13800138000X", "order_13800138000", "#13800138000", "/item/13800138000/x",
        "3.13800138000", "0.13912345678", "13800138000.55", "+12345678.90", "3.14159265358979",
        "138-0013-8000-1234", "6222021380013800137", "1700000000", "1700000000000",
        "192.168.100.200", "550e8400-e29b-41d4-a716-446655440000", "1,380,013,800",
        "1 2 3 4 5 6 7 8 9 10 11 12", "ISBN 978-3-16-148410-0", "x+12345678",
        "300 400 5000", "2019-2024", "v1.2.3-4", "1+13800138000", "git@github.com:team/repo",
        "logo@2x.png", "@user", "a@b", "pip install x@1.2.3", "@types/node", "4001234567",
        "110105194912310021", "000-12-3456", "1 120 15 2024", "model E12345678",
        "4111111111111112", "DE88370400440532013000", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "text",
    ["00:1a:2b:3c:4d:5e:6f:70", "a::b", "::1", "127.0.0.1", "1.2.3.4.5", "v1.2.3.4", "12:30:45"],
)
def test_addresses_of_machines_that_are_none_or_nobodys(text: str) -> None:
    assert redacted(text, EVERY) == text


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Hello wor", "wor"),
        ("Hello world ", ""),
        ("Hello, ", ""),
        ("In 2024 ", "2024 "),
        ("你好，今天", ""),
        ("电话138 0013 ", "138 0013 "),
        ("写信给a@b.co", "a@b.co"),
        ("写信给a@b.co，", ""),
        ("a long sentence of many words that has no number and no sign of one", "one"),
    ],
)
def test_holds_no_more_than_what_may_become_a_match(text: str, held: str) -> None:
    assert text[FINDER.undecided(text) :] == held


def test_many_invisible_characters_part_a_number() -> None:
    assert redacted("138\u200b\u200b\u200b\u200b00138000") == "[PHONE]"
    assert redacted("138" + "\u200b" * 5 + "00138000") == "138" + "\u200b" * 5 + "00138000"


@pytest.mark.parametrize("gap", [":", "#", "no.", "no", " -"])
def test_a_long_row_of_signs_after_a_cue_ends_soon(gap: str) -> None:
    text = f"passport{gap * 24}0x E12345678"
    assert redacted(text) == text


def test_lone_surrogates_are_no_trouble() -> None:
    assert redacted("\ud80013800138000\udfff") == "\ud800[PHONE]\udfff"


def test_unknown_and_missing_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="got fax"):
        PiiFinder(["fax"])
    with pytest.raises(ValueError, match="at least one"):
        PiiFinder([])


def test_names_are_what_the_recogniser_says() -> None:
    finder = NameFinder(lambda text: [(3, 5), (0, 2), (1, 4), (9, 99)])
    assert [(m.kind, m.start, m.end) for m in finder.find("张三 李四 来了")] == [
        ("name", 0, 2),
        ("name", 3, 5),
    ]
    assert finder.undecided("张三 李四 来了", 2) == 2
