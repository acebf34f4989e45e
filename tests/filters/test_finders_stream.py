"""What pii and secrets Finders promise of streams: a text in pieces gives what the whole gives."""

from __future__ import annotations

import itertools
from itertools import pairwise
from random import Random

import pytest
from filters.pii.pii_formats import SOURCES as PII
from filters.secrets.secret_formats import SOURCES as SECRETS
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import in_pieces

from serve_app.filters.base import Finder
from serve_app.filters.pii import KINDS, PiiFinder
from serve_app.filters.secrets import SecretsFinder
from serve_app.filters.secrets.finder import FORMS
from serve_app.filters.shapes.finder import ShapeFinder
from serve_app.filters.shapes.form import Form

FINDERS: dict[str, Finder] = {
    **{kind: PiiFinder([kind]) for kind in KINDS},
    "every": PiiFinder(list(KINDS)),
    "secrets": SecretsFinder(),
}
_ODD = "\u200b\u200b\u200b\u200b\u200b\ufeff０１９ａｚＡ＠－（）𝟏\u00a0—，。的密码护照\ud800é?"
_SIGNS = " .-+()@:=/_#'\"\n?*~&%\\,;<>|{}[]!"
_WORDS = [
    "passport no. ", "护照", "SSN ", "password=", "token: ", "密码是", "Bearer ", "://u:",
    "aws_secret=",
    "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "\n", "\\n",
    "eyJhbGciOiJIUzI1NiJ9.",
    "sk-", "sk-proj-", "ghp_", "0x", "bc1q", "DE89", "+86 ", "(0", "400-", "138", "1111 ",
    "2001:db8::",
    "a@b.", "com", "git@", "AccountKey=", "hooks.slack.com/services/", "A" * 40, "b7" * 40,
    "转", "Proc-Type: 4,ENCRYPTED\n", "电话",
]  # fmt: skip


def _made(rng: Random) -> str:
    """Running text with real things and near misses, joined without care."""
    parts: list[str] = []
    for _ in range(rng.randint(1, 4)):
        source = rng.choice([*PII.values(), *SECRETS.values()])
        made = rng.choice([source.valid, source.near_miss])(rng)
        parts += made.translate({0: None, 1: None})[-400:]
        parts.append(rng.choice(["", " ", "，", "\n", " and ", "的", "-", ".", "1", "x", "\u200b"]))
    text = "".join(parts)
    if rng.random() < 0.4:
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(text) + 1)
            text = text[:place] + rng.choice(_ODD) * rng.choice([1, 1, 3, 6]) + text[place:]
    return text


def _noise(rng: Random) -> str:
    alphabet = rng.choice(
        ["0123456789", "0123456789 ", "0123456789 -.+()", "0123456789abcdefABCDEF:.-", "1 \u200b",
         "ab1@.-", "=+/Aa1 \n", "01" + _ODD, "aA1" + _SIGNS]
    )  # fmt: skip
    return "".join(
        rng.choice(_WORDS) if rng.random() < 0.15 else rng.choice(alphabet)
        for _ in range(rng.randint(1, 60))
    )


def _cut(text: str, places: list[int]) -> list[str]:
    return [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]


def _texts(seed: int, count: int) -> list[str]:
    rng = Random(seed)
    return [_made(rng) for _ in range(count)] + [_noise(rng) for _ in range(3 * count)]


@pytest.mark.parametrize("name", ["every", "secrets"])
def test_a_text_split_at_any_place_gives_what_the_whole_gives(name: str) -> None:
    finder = FINDERS[name]
    for text in _texts(1, 40):
        whole = finder.find(text)
        for place in range(1, len(text)):
            assert in_pieces(finder, [text[:place], text[place:]]) == whole, (text, place)


@pytest.mark.parametrize("name", FINDERS)
def test_a_text_in_random_pieces_gives_what_the_whole_gives(name: str) -> None:
    finder, rng = FINDERS[name], Random(2)
    for text in _texts(3, 60):
        whole = finder.find(text)
        places = [rng.randrange(len(text) + 1) for _ in range(rng.randint(1, 12))]
        assert in_pieces(finder, _cut(text, places)) == whole, (text, places)


@pytest.mark.parametrize("name", FINDERS)
def test_a_text_in_single_characters_gives_what_the_whole_gives(name: str) -> None:
    finder = FINDERS[name]
    for text in _texts(4, 8):
        assert in_pieces(finder, list(text)) == finder.find(text), text


@pytest.mark.parametrize(
    "text",
    [
        "a" * 300 + "@b.co", "1" * 500, "1 " * 300, "4111 " * 60, "\u200b" * 300 + "13800138000",
        "13800138000" + "\u200b" * 300 + "1", "1\u200b\u200b\u200b\u200b" * 120,
        "-----BEGIN PRIVATE KEY-----\n" * 8 + "A" * 9000, "sk-" * 200, "eyJ" + "ab." * 400,
        "-----BEGIN PRIVATE KEY-----\n" + ("Ab1+" * 16 + "\n") * 140 + "-----END PRIVATE KEY-----",
        "Bearer " + "aB3" * 900, "a@" * 200, "a@b.c" * 100, "2001:db8:" * 40, "0x" + "a" * 200,
        "password=" + "a1B!" * 80, "https://u:" + "p" * 300 + "@h",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["every", "secrets"])
def test_what_is_longer_than_any_match_is_cut_alike(name: str, text: str) -> None:
    finder = FINDERS[name]
    whole = finder.find(text)
    for size in (97, 700):
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert in_pieces(finder, pieces) == whole


@pytest.mark.parametrize("form", [*itertools.chain(*KINDS.values()), *FORMS], ids=lambda f: f.kind)
def test_hints_hide_nothing(form: Form) -> None:
    hinted, other = ShapeFinder([form]), ShapeFinder([form._replace(hint="")])
    for source in (PII | SECRETS).get(form.kind, PII["phone"]), PII["ip"]:
        rng = Random(5)
        for text in (source.valid(rng).translate({0: None, 1: None}) for _ in range(200)):
            assert hinted.find(text) == other.find(text)
    for text in _texts(6, 40):
        assert hinted.find(text) == other.find(text)


@settings(max_examples=300, deadline=None)
@given(
    parts=st.lists(
        st.one_of(st.sampled_from(_WORDS), st.text(f"01589aAfZ{_SIGNS}{_ODD}", max_size=12)),
        max_size=12,
    ),
    name=st.sampled_from(["every", "secrets"]),
    data=st.data(),
)
def test_any_text_in_any_pieces(parts: list[str], name: str, data: st.DataObject) -> None:
    text = "".join(parts)
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    finder = FINDERS[name]
    whole = finder.find(text)
    assert in_pieces(finder, _cut(text, places)) == whole
    for before, after in pairwise([(0, 0), *((m.start, m.end) for m in whole)]):
        assert before[1] <= after[0] < after[1] <= len(text)
