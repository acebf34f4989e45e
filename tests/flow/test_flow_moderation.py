"""Rules that ask a hosted moderation endpoint, over the whole corridor."""

from __future__ import annotations

from typing import Any

import pytest
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

from serve_app.core.errors import PolicyRejected

MODEL = "omni-moderation-latest"


def asking(*rules: dict[str, Any]) -> Any:
    made = [
        {"name": "judge", "kind": "classifier", "source": "moderation:p", "timeout_s": 10, **rule}
        for rule in rules or ({},)
    ]
    return policy(filter={"injection": "off", "rules": made})


async def status(flow: Flow, text: str) -> int:
    return (await flow.chat(text))[0]


async def test_what_is_flagged_is_refused_and_the_rest_passes(open_flow: Open) -> None:
    async with open_flow(rules=asking()) as flow:
        code, _, body = await flow.chat("a plan of violence")
        assert code == 403
        assert "judge" in str(body)
        assert "a plan of" not in str(body)
        assert await status(flow, "hello") == 200
        assert await status(flow, "a rude word") == 403  # not flagged, but its score is 0.8


async def test_labels_and_threshold_say_what_counts(open_flow: Open) -> None:
    async with open_flow(rules=asking({"threshold": 0.9})) as flow:
        assert await status(flow, "a rude word") == 200
        assert await status(flow, "violence") == 403
    async with open_flow(rules=asking({"labels": ["self-harm"]})) as flow:
        assert await status(flow, "violence") == 200
        assert await status(flow, "self-harm") == 403


@pytest.mark.parametrize("step", ["status-500", "status-429", "malformed-body", "no-response"])
@pytest.mark.parametrize(("if_away", "code"), [("pass", 200), ("block", 403)])
async def test_an_endpoint_that_is_away_is_what_the_rule_says(
    open_flow: Open, provider: ScriptedProvider, step: str, if_away: str, code: int
) -> None:
    provider.script(MODEL, step)
    async with open_flow(rules=asking({"if_away": if_away, "timeout_s": 0.3})) as flow:
        assert await status(flow, "hello") == code
    assert [seen["behaviour"] for seen in provider.log(MODEL)] == [step]


async def test_a_slow_endpoint_is_waited_for_as_long_as_the_rule_says(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script(MODEL, "slow-300ms")
    async with open_flow(rules=asking({"if_away": "pass"})) as flow:
        assert await status(flow, "violence") == 403
    async with open_flow(rules=asking({"if_away": "pass", "timeout_s": 0.1})) as flow:
        assert await status(flow, "violence") == 200


async def test_a_policy_taken_up_later_may_ask_and_a_wrong_one_is_refused(open_flow: Open) -> None:
    async with open_flow() as flow:
        assert await status(flow, "violence") == 200
        flow.house.apply(asking())
        assert await status(flow, "violence") == 403
        for source in ("moderation:other", "app:guard"):
            with pytest.raises(PolicyRejected, match=source):
                flow.house.apply(asking({"source": source}))
        assert await status(flow, "violence") == 403
