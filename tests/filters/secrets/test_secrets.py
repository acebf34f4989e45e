"""Which secret it is, how far it goes, and what stays."""

from __future__ import annotations

import pytest

from serve_app.filters.secrets import TAGS, SecretsFinder

FINDER = SecretsFinder()
_KEY = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 4)


def redacted(text: str) -> str:
    for match in reversed(FINDER.find(text)):
        text = text[: match.start] + TAGS[match.kind] + text[match.end :]
    return text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://bob:s3cr3t@db/x", "postgres://bob:[SECRET]@db/x"),
        ("redis://:p%40ss1@h:1", "redis://:[SECRET]@h:1"),
        ("password: hunter2!, thanks", "password: [SECRET], thanks"),
        ("密码是Abc12345。好", "密码是[SECRET]。好"),
        ("密码：p?ss1w0rd 好", "密码：[SECRET] 好"),
        ("OPENAI_API_KEY='abcd1234efgh5678ijkl'", "OPENAI_API_KEY='[SECRET]'"),
        ("密钥sk-1234567890abcdef1234567890abcdef是", "密钥[SECRET]是"),
        ("s\u200bk-1234567890abcdef1234567890abcdef", "[SECRET]"),
        ("ｓｋ－1234567890abcdef1234567890abcdef", "[SECRET]"),
        (f"-----BEGIN PRIVATE KEY-----\n{_KEY}\nand so on", "[SECRET]\nand so on"),
        (f"-----BEGIN PRIVATE KEY-----\n{_KEY}", "[SECRET]"),
        (f"x-----BEGIN RSA PRIVATE KEY-----\n{_KEY}\n-----END RSA PRIVATE KEY-----y", "x[SECRET]y"),
    ],
)
def test_redacts_the_secret_and_nothing_else(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "sk-button-primary-large-disabled-state", "task-1234567890abcdef1234567890abcdef0",
        "http://localhost:8080/a@b", "postgres://user:password@localhost/db",
        "password = get_password(user1)", "max_tokens: 4096",
        "commit 16c7e42f292c6912e7710c838347ae178b4a",
        "Use -----BEGIN PRIVATE KEY----- as the first line.", "密码错误，请重试", "[SECRET]",
        "password: [SECRET]",
    ],
)  # fmt: skip
def test_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("The word", ""),
        ("The end.", ""),
        ("任务", ""),
        ("use sk-12", "sk-12"),
        ("ask", ""),
        ("password=abc", "abc"),
        ("http://localhost:80", "80"),
        ("-----BEGIN PRIVATE KEY----- is how such things", ""),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", "-----BEGIN PRIVATE KEY-----\nMIIE"),
    ],
)
def test_holds_no_more_than_what_may_become_a_secret(text: str, held: str) -> None:
    assert text[FINDER.undecided(text) :] == held
