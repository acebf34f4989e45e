"""The form of a key: what scanners look for, and what typing mistakes do to it."""

from __future__ import annotations

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_app.core import api_key


def test_keys_are_long_different_and_found_by_a_scanner() -> None:
    made = [api_key.make() for _ in range(100)]
    assert len(set(made)) == 100
    assert all(re.fullmatch(api_key.PATTERN, key) for key in made)
    assert all(api_key.is_whole(key) and api_key.looks_like_ours(key) for key in made)
    assert {len(key) for key in made} == {len("sk-serve-") + 43 + 6}


def test_an_admin_key_says_so() -> None:
    key = api_key.make(api_key.ADMIN_PREFIX)
    assert key.startswith("sk-serve-admin-")
    assert api_key.is_whole(key)


@given(st.integers(0, 48), st.sampled_from("abcXYZ019"))
def test_no_single_mistyped_character_passes(at: int, char: str) -> None:
    key = api_key.make()
    at += len(api_key.PREFIX)
    mistyped = key[:at] + char + key[at + 1 :]
    assert api_key.is_whole(mistyped) == (mistyped == key)


@pytest.mark.parametrize("wrong", ["", "sk-serve-", "sk-serve-abc", "sk-other-" + "A" * 49])
def test_what_is_no_key_of_ours(wrong: str) -> None:
    assert not api_key.is_whole(wrong)


def test_check_digits_are_the_crc32_in_base_62() -> None:
    value, alphabet = 0, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body = api_key.make()[len(api_key.PREFIX) :]
    for char in body[43:]:
        value = value * 62 + alphabet.index(char)
    assert value == zlib.crc32(body[:43].encode())


@given(st.text())
def test_any_text_has_a_digest(text: str) -> None:
    assert len(api_key.digest(text)) == 32
