"""A hosted backend's /moderations as a classifier, over real HTTP."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from backend_calls import KEY, MakeHosted
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import AttemptFailed
from serve_app.backends.moderation import Moderation, cut

DEFAULT = "omni-moderation-latest"


@pytest.fixture
def moderation(make_hosted: MakeHosted) -> Moderation:
    """With the provider's own model."""
    return Moderation("test", make_hosted())


def of_model(make_hosted: MakeHosted, model: str) -> Moderation:
    return Moderation("test", make_hosted(), model)


async def test_what_the_provider_flags_counts_whatever_its_score(moderation: Moderation) -> None:
    harmless, flagged, rude = await moderation.classify(["hello", "some violence", "a rude word"])
    assert harmless["violence"] == 0.001
    assert flagged["violence"] == 1.0  # the provider's own score was 0.4
    assert (rude["harassment"], rude["violence"]) == (0.8, 0.001)
    assert harmless["illicit"] == 0.0  # null: the model knows it not


async def test_the_request_is_openai_s_and_carries_the_backend_s_key(
    moderation: Moderation, provider: ScriptedProvider
) -> None:
    await moderation.classify(["one", "two"])
    [seen] = provider.log(DEFAULT)
    assert seen["path"] == "/v1/moderations"
    assert seen["body"] == {"input": ["one", "two"]}
    assert seen["key"] == KEY


async def test_a_model_is_named_where_the_rule_names_one(
    make_hosted: MakeHosted, provider: ScriptedProvider
) -> None:
    await of_model(make_hosted, "mistral-moderation").classify(["one"])
    [seen] = provider.log("mistral-moderation")
    assert seen["body"] == {"model": "mistral-moderation", "input": ["one"]}


async def test_a_flag_without_a_category_is_a_label_of_its_own(make_hosted: MakeHosted) -> None:
    assert await of_model(make_hosted, "bare-flag").classify(["x"]) == [{"flagged": 1.0}]


@pytest.mark.parametrize("at", [0, 1995, 9_000, 70_000, 149_000])
async def test_what_stands_anywhere_in_a_long_text_is_found(
    moderation: Moderation, provider: ScriptedProvider, at: int
) -> None:
    text = "a" * at + "violence" + "a" * (150_000 - at)
    harmless, long = await moderation.classify(["hello", text])
    assert (harmless["violence"], long["violence"]) == (0.001, 1.0)
    assert all(len(seen["body"]["input"]) <= 32 for seen in provider.log(DEFAULT))


@pytest.mark.parametrize("length", [0, 1, 1999, 2000, 2001, 2200, 3800, 3801, 10_000])
def test_pieces_overlap_and_leave_nothing_out(length: int) -> None:
    text = "".join(chr(0x4E00 + at) for at in range(length))
    pieces = cut(text)
    assert all(len(piece) <= 2000 for piece in pieces)
    assert text.startswith(pieces[0])
    assert text.endswith(pieces[-1])
    for one, other in pairwise(pieces):
        assert one[-200:] == other[:200]
    assert len(text) == sum(map(len, pieces)) - 200 * (len(pieces) - 1)


@pytest.mark.parametrize(
    "model", ["status-503", "status-429", "malformed-body", "one-short", "auth"]
)
async def test_what_is_no_judgement_is_a_failure(
    make_hosted: MakeHosted, provider: ScriptedProvider, model: str
) -> None:
    with pytest.raises(AttemptFailed):
        await of_model(make_hosted, model).classify(["x"])
    assert len(provider.log(model)) == 1


async def test_a_key_never_shows_in_a_failure(make_hosted: MakeHosted) -> None:
    with pytest.raises(AttemptFailed) as caught:
        await of_model(make_hosted, "leaky").classify(["x"])
    assert KEY not in str(caught.value)


async def test_a_connection_that_broke_is_tried_once_more(
    make_hosted: MakeHosted, provider: ScriptedProvider
) -> None:
    [scores] = await of_model(make_hosted, "reset-once").classify(["violence"])
    assert scores["violence"] == 1.0
    with pytest.raises(AttemptFailed):
        await of_model(make_hosted, "reset-before-headers").classify(["x"])
    assert len(provider.log("reset-before-headers")) == 2


async def test_who_waits_no_longer_takes_the_request_back(
    make_hosted: MakeHosted, provider: ScriptedProvider
) -> None:
    asking = asyncio.create_task(of_model(make_hosted, "no-response").classify(["x"]))
    assert await asyncio.to_thread(provider.wait, "no-response", "seen")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(provider.wait, "no-response", "aborted")
