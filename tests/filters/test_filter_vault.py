"""Placeholders: given to values on the way in, values again on the way out."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve_app.config.policy import FilterPolicy
from serve_app.core.screening import Finding, Names, Tail, Texts, Verdict
from serve_app.filters.chain import FilterStage
from serve_app.filters.restoring import Restoring
from serve_app.filters.vault import Vault

EVERYWHERE = ["input", "system", "history", "tool_results", "tool_arguments"]
HIDE = {
    "kind": "pii", "name": "hide", "where": EVERYWHERE, "replace": "reversible",
}  # fmt: skip
STAGE = FilterStage(FilterPolicy.model_validate({"injection": "off", "rules": [HIDE]}))
NAMES: Names = (("<EMAIL_1>", 'a"b\\@x.co'), ("<EMAIL_2>", "c@d.co"), ("<CN_ID_12>", "好"))


async def judged(*said: tuple[str, str], names: Names = ()) -> Verdict:
    places, texts = zip(*said, strict=True)
    [verdict] = await STAGE.check_input([Texts(texts, places, names=names)])
    return verdict


async def test_values_are_numbered_by_kind_and_equal_ones_have_one_name() -> None:
    verdict = await judged(
        ("input", "ann@x.co, bob@x.co and ann@x.co; 13812345678"),
        ("tool_arguments", '{"to": "bob@x.co"}'),
    )
    assert verdict.texts == (
        "<EMAIL_1>, <EMAIL_2> and <EMAIL_1>; <PHONE_1>",
        '{"to": "<EMAIL_2>"}',
    )
    assert verdict.vault == (
        ("<EMAIL_1>", "ann@x.co"), ("<EMAIL_2>", "bob@x.co"), ("<PHONE_1>", "13812345678"),
    )  # fmt: skip
    assert verdict.findings == (Finding("hide:email", "redact", 4), Finding("hide:phone", "redact"))


@pytest.mark.parametrize(
    "literal", ["<EMAIL_1>", r"{\"a\": \"\u003cEMAIL_1\u003e\"}", r"\u003CEMAIL_1>"]
)
async def test_a_placeholder_that_is_in_the_request_is_not_given_out(literal: str) -> None:
    verdict = await judged(("history", literal), ("input", "ann@x.co"))
    assert verdict.vault == (("<EMAIL_2>", "ann@x.co"),)


async def test_a_conversation_goes_on_numbering() -> None:
    verdict = await judged(("input", "ann@x.co, bob@x.co"), names=(("<EMAIL_1>", "bob@x.co"),))
    assert verdict.texts == ("<EMAIL_2>, <EMAIL_1>",)
    assert verdict.vault == (("<EMAIL_2>", "ann@x.co"),)


async def test_without_values_there_are_no_names() -> None:
    verdict = await judged(("input", "hello <EMAIL_1>"))
    assert (verdict.action, verdict.vault) == ("allow", ())


def test_kinds_are_apart() -> None:
    vault = Vault((), [])
    assert [vault.name("A", "x"), vault.name("B", "x"), vault.name("A", "x")] == [
        "<A_1>", "<B_1>", "<A_1>",
    ]  # fmt: skip


# ------------------------------------------------------------------- restoring


async def restored(pieces: list[str], place: str = "output") -> str:
    out, held = "", None
    reader = Restoring(NAMES)
    for at, piece in enumerate(pieces):
        tail = Tail(held, piece, at == len(pieces) - 1, place=place)
        [released] = await reader.check_output([tail])
        out, held = out + released.text, released.held
    assert held is None
    return out


async def test_only_ones_own_placeholders_are_restored() -> None:
    said = "<EMAIL_2> <EMAIL_3> <CN_ID_12> <email_2> <EMAIL_22> < EMAIL_2> <<EMAIL_2>>"
    assert await restored([said]) == (
        "c@d.co <EMAIL_3> 好 <email_2> <EMAIL_22> < EMAIL_2> <c@d.co>"
    )


@pytest.mark.parametrize(
    "raw",
    [
        '{"to": "<EMAIL_1>", "n": 1}',
        r'{"to": "\u003cEMAIL_1\u003e", "n": 1}',
        r'{"to": "\u003CEMAIL_1>", "n": 1}',
    ],
)
async def test_in_arguments_values_are_written_as_json_wants_it(raw: str) -> None:
    for at in range(len(raw)):
        out = await restored([raw[:at], raw[at:]], "tool_arguments")
        assert json.loads(out) == {"to": 'a"b\\@x.co', "n": 1}


async def test_an_escaped_backslash_is_no_escape() -> None:
    raw = r'{"a": "\\u003cEMAIL_2>"}'
    assert json.loads(await restored([raw], "tool_arguments")) == {"a": r"\u003cEMAIL_2>"}


async def test_only_what_may_become_a_placeholder_is_held() -> None:
    reader = Restoring(NAMES)
    for said, held in [("a < b", ""), ("a <EM", "<EM"), ("a <", "<"), ("x <em", ""), ("<A>", "")]:
        [released] = await reader.check_output([Tail(None, said, False)])
        assert ("" if released.held is None else released.held.text) == held


PARTS = st.lists(
    st.sampled_from([
        "<EMAIL_1>", "<EMAIL_2>", "<", ">", "EMAIL_", "1", "<CN_ID_12>", " ", "\\", "u003c",
    ]),
    max_size=10,
).map("".join)  # fmt: skip


@settings(deadline=None)
@given(
    PARTS, st.lists(st.integers(0, 60), max_size=8), st.sampled_from(["output", "tool_arguments"])
)
def test_however_a_text_is_cut_it_is_restored_the_same(
    text: str, cuts: list[int], place: str
) -> None:
    edges = [0, *sorted(at for at in cuts if at < len(text)), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(edges)]

    async def both() -> tuple[Any, Any]:
        return await restored(pieces, place), await restored([text], place)

    parts, whole = asyncio.run(both())
    assert parts == whole
