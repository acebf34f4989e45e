"""What is a phone number or an e-mail address, and what only looks like one."""

import pytest

from serve_app.filters.patterns import LONGEST_PHONE, REPLACEMENT, find, plain


def redacted(text: str) -> str:
    for match in reversed(find(plain(text))):
        text = text[: match.start] + REPLACEMENT[match.kind] + text[match.end :]
    return text


@pytest.mark.parametrize(
    "number",
    [
        "13800138000", "138 0013 8000", "138-0013-8000", "+86 13800138000", "+86-138-0013-8000",
        "0086 13800138000", "(+86)13800138000", "8613800138000", "+8613800138000",
        "１３８００１３８０００", "138\u200b0013\u200b8000", "138–0013–8000",
        "138\u00a00013\u00a08000",
        "+1 415 555 2671", "+14155552671", "+1 (415) 555-2671", "(415) 555-2671", "415-555-2671",
        "415.555.2671", "1-415-555-2671", "1 (415) 555-2671", "+44 20 7946 0958", "+442079460958",
        "+33 1 23 45 67 89", "+49 (0)30 123456", "+81-3-1234-5678", "+91 98765 43210",
    ],
)  # fmt: skip
def test_phone_numbers(number: str) -> None:
    assert redacted(number) == "[PHONE]"
    assert redacted(f"电话{number}，谢谢") == "电话[PHONE]，谢谢"
    assert redacted(f"Call {number}.") == "Call [PHONE]."
    assert len(number) <= LONGEST_PHONE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("张三-13800138000", "张三-[PHONE]"),
        ("Tel.13800138000", "Tel.[PHONE]"),
        ("13800138000,13900139000/13700137000", "[PHONE],[PHONE]/[PHONE]"),
        ("13800138000 13900139000", "[PHONE] [PHONE]"),
        ("+44 20 7946 0958 13800138000", "[PHONE] [PHONE]"),
        ("call(13800138000)", "call([PHONE])"),
    ],
)
def test_phone_numbers_beside_other_things(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15", "2024-01-15T10:20:30+08:00", "20240115123456789", "ORD-13800138000",
        "SN13800138000X", "order_13800138000", "#13800138000", "/item/13800138000/x",
        "3.13800138000", "0.13912345678", "13800138000.55", "+12345678.90", "3.14159265358979",
        "138-0013-8000-1234", "6222021380013800138", "1700000000", "1700000000000",
        "192.168.100.200", "550e8400-e29b-41d4-a716-446655440000", "1,380,013,800",
        "123-45-6789", "1 2 3 4 5 6 7 8 9 10 11 12", "ISBN 978-3-16-148410-0", "x+12345678",
        "300 400 5000", "2019-2024", "v1.2.3-4", "1+13800138000",
    ],
)  # fmt: skip
def test_numbers_that_are_no_phone_numbers(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    "address",
    [
        "a@b.co", "foo.bar+tag@mail.example.com", "FOO@BAR.COM", "user_1@sub-1.example.cn",
        "123@qq.com", "13800138000@163.com", "foo＠bar.com", "a@xn--fsq.xn--p1ai",
        "f\u200boo@bar.com",
    ],
)  # fmt: skip
def test_addresses(address: str) -> None:
    assert redacted(address) == "[EMAIL]"
    assert redacted(f"邮箱{address}很好") == "邮箱[EMAIL]很好"
    assert redacted(f"<{address}>, mailto:{address}?x=1") == "<[EMAIL]>, mailto:[EMAIL]?x=1"


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:team/repo",
        "logo@2x.png",
        "@user",
        "a@b",
        "pip install x@1.2.3",
        "@types/node",
    ],
)
def test_texts_with_an_at_that_are_no_address(text: str) -> None:
    assert redacted(text) == text


def test_plain_keeps_every_place() -> None:
    text = "ａ－＠\u3000\u00a0\ud800—é好"
    assert len(plain(text)) == len(text)
    assert plain(text) == "a-@  \ufffd-é好"
