"""Files and batches, by the official client, over a whole gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest
from batch_calls import (
    CHAT,
    KEY,
    OTHER,
    begin,
    chat_line,
    client,
    content,
    ended,
    jsonl,
    rules,
    said,
    sha256,
    until,
    upload,
)
from houses import Open, arguments
from provider.fixtures import ScriptedProvider

PRICES = {"ok": {"input": 1_000_000, "output": 2_000_000, "batch_percent": 50}}


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_APP_DATA_DIR", str(tmp_path))


async def test_a_batch_from_upload_to_download(open_flow: Open, provider: ScriptedProvider) -> None:
    lines = [chat_line(number) for number in range(1, 31)]
    policy = rules(batches={"shard_requests": 7}, prices=PRICES)
    async with open_flow(rules=policy) as flow, client(flow) as api:
        begun = await begin(api, lines, metadata={"night": "1"})
        assert begun.status == "validating"
        assert begun.id.startswith("batch_")
        batch = await ended(api, begun.id)
        assert (batch.status, batch.errors, batch.error_file_id) == ("completed", None, None)
        assert batch.metadata == {"night": "1"}
        counts = batch.request_counts
        assert counts is not None
        assert (counts.total, counts.completed, counts.failed) == (30, 30, 0)
        answers = await content(api, batch.output_file_id)
        assert [line["custom_id"] for line in answers] == [line["custom_id"] for line in lines]
        assert [said(line) for line in answers] == [f"You said: line {n}" for n in range(1, 31)]
        assert len({line["id"] for line in answers}) == 30
        assert all(line["error"] is None for line in answers)
        assert batch.in_progress_at <= batch.finalizing_at <= batch.completed_at  # type: ignore[operator]
        assert batch.expires_at == batch.created_at + 86_400
        assert batch.model == "ok"
        usage = batch.usage
        assert usage is not None
        used = [line["response"]["body"]["usage"] for line in answers]
        assert usage.input_tokens == sum(one["prompt_tokens"] for one in used)
        assert usage.total_tokens == sum(one["total_tokens"] for one in used)
        totals = await flow.house.ledger.totals("a")
        assert totals.total.requests == 30
        whole = [one["prompt_tokens"] + 2 * one["completion_tokens"] for one in used]
        assert totals.total.cost_micro_usd == sum((one + 1) // 2 for one in whole)


async def test_lines_that_fail_are_in_the_error_file(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    good, bad = chat_line(1), chat_line(2, model="no-such-model")
    worse = chat_line(3)
    worse["body"]["temperature"] = 9
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        batch = await ended(api, (await begin(api, [good, bad, worse])).id)
        assert batch.status == "completed"
        assert batch.request_counts is not None
        assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 2)
        [answer] = await content(api, batch.output_file_id)
        assert answer["custom_id"] == "request-1"
        first, second = await content(api, batch.error_file_id)
        assert first["custom_id"] == "request-2"
        assert first["response"]["status_code"] == 404
        assert first["response"]["body"]["error"]["code"] == "model_not_found"
        assert second["response"]["status_code"] == 400
        assert second["response"]["body"]["error"]["param"] == "temperature"


async def test_what_passes_is_tried_again(open_flow: Open, provider: ScriptedProvider) -> None:
    provider.script("ok", "status-500", "status-500", "status-500", "status-500", "agent")
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        batch = await ended(api, (await begin(api, [chat_line(1)])).id)
        [answer] = await content(api, batch.output_file_id)
        assert answer["response"]["status_code"] == 200
        assert len(provider.log("ok")) == 5
        assert (await flow.house.ledger.totals("a")).total.requests == 1


async def test_an_input_file_with_mistakes_fails_with_their_lines(open_flow: Open) -> None:
    lines = [chat_line(1), chat_line(1), chat_line(2, url="/v1/embeddings")]
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        file_id = await upload(api, jsonl(lines) + b"no json\n")
        begun = await api.batches.create(
            input_file_id=file_id, endpoint=CHAT, completion_window="24h"
        )
        batch = await ended(api, begun.id)
        assert batch.status == "failed"
        assert batch.failed_at is not None
        assert batch.errors is not None
        found = [(one.code, one.line) for one in batch.errors.data or ()]
        assert found == [
            ("duplicate_custom_id", 2),
            ("mismatched_url", 3),
            ("invalid_json_line", 4),
        ]


async def test_a_cancelled_batch_delivers_what_is_done(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("second", "slow-first-300ms")
    lines = [chat_line(n) for n in range(5)] + [chat_line(n, "second") for n in range(5, 40)]
    policy = rules(batches={"shard_requests": 5, "parallel": 1})
    async with open_flow(rules=policy) as flow, client(flow) as api:
        begun = await begin(api, lines)
        await until(api, begun.id, "in_progress")
        await asyncio.to_thread(provider.wait, "second", "seen", 1)
        cancelling = await api.batches.cancel(begun.id)
        assert cancelling.status == "cancelling"
        batch = await ended(api, begun.id)
        assert batch.status == "cancelled"
        assert batch.cancelled_at is not None
        counts = batch.request_counts
        assert counts is not None
        assert counts.completed >= 1
        assert counts.completed + counts.failed == counts.total == 40
        answers = await content(api, batch.output_file_id)
        assert len(answers) == counts.completed
        errors = await content(api, batch.error_file_id)
        assert {line["error"]["code"] for line in errors} == {"batch_cancelled"}
        asked = [line["custom_id"] for line in lines]
        found = {line["custom_id"] for line in (*answers, *errors)}
        assert found == set(asked)
        assert [one for one in asked if one in {line["custom_id"] for line in answers}] == [
            line["custom_id"] for line in answers
        ]


async def test_a_batch_that_is_over_cannot_be_cancelled(open_flow: Open) -> None:
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        batch = await ended(api, (await begin(api, [chat_line(1)])).id)
        with pytest.raises(openai.ConflictError):
            await api.batches.cancel(batch.id)


async def test_a_tenant_sees_its_own_and_no_others(open_flow: Open) -> None:
    async with (
        open_flow(rules=rules()) as flow, client(flow) as mine, client(flow, OTHER) as other,
    ):  # fmt: skip
        batch = await ended(mine, (await begin(mine, [chat_line(1)])).id)
        assert [one.id async for one in mine.batches.list()] == [batch.id]
        assert [one async for one in other.batches.list()] == []
        assert [one async for one in other.files.list()] == []
        for ask in (
            other.batches.retrieve(batch.id),
            other.batches.cancel(batch.id),
            other.files.retrieve(batch.input_file_id),
            other.files.content(str(batch.output_file_id)),
            other.files.delete(batch.input_file_id),
        ):
            with pytest.raises(openai.NotFoundError):
                await ask
        with pytest.raises(openai.BadRequestError) as refused:
            await other.batches.create(
                input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h"
            )
        assert refused.value.code == "file_not_found"


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"endpoint": "/v1/images/edits"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"metadata": {str(n): "x" for n in range(17)}}, "metadata"),
        ({"input_file_id": "file-none"}, "input_file_id"),
    ],
)
async def test_a_batch_that_cannot_be_is_refused(
    open_flow: Open, changes: dict[str, Any], param: str
) -> None:
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        asked: Any = {"endpoint": CHAT, "completion_window": "24h"}
        asked["input_file_id"] = await upload(api, jsonl([chat_line(1)]))
        with pytest.raises(openai.BadRequestError) as refused:
            await api.batches.create(**{**asked, **changes})
        assert refused.value.param == param


async def test_lines_of_every_endpoint_are_answered(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        "/v1/completions": ({"model": "ok", "prompt": "hello"}, "text_completion"),
        "/v1/embeddings": ({"model": "vec", "input": ["a", "b"]}, "list"),
        "/v1/responses": ({"model": "ok", "input": "hello"}, "response"),
    }
    [backend] = arguments(provider.base_url)["backends"]
    models = [{"id": "ok", "context": 8000}, {"id": "vec", "kind": "embedding", "context": 8000}]
    args = {"backends": [{**backend, "models": models}]}
    async with open_flow(args, rules(routing={"default": ["p/ok"]})) as flow, client(flow) as api:
        for url, (body, kind) in bodies.items():
            batch = await ended(api, (await begin(api, [chat_line(1, url=url, body=body)])).id)
            [answer] = await content(api, batch.output_file_id)
            assert answer["response"]["body"]["object"] == kind
            assert batch.usage is not None
            assert batch.usage.input_tokens > 0


async def test_a_spent_budget_ends_lines_and_not_the_batch(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    keys = [{"sha256": sha256(KEY), "tenant": "a", "limits": {"budget": {"day": 0.0002}}}]
    admission = {"keys": keys, "user_rpm": 0, "key_rpm": 0}
    prices = {"ok": {"input": 10_000_000, "output": 10_000_000}}
    lines = [chat_line(n) for n in range(6)]
    for line in lines:
        line["body"]["max_tokens"] = 4
    policy = rules(admission=admission, prices=prices, batches={"parallel": 1})
    async with open_flow(rules=policy) as flow, client(flow) as api:
        batch = await ended(api, (await begin(api, lines)).id)
        assert batch.status == "completed"
        counts = batch.request_counts
        assert counts is not None
        assert counts.completed >= 1
        assert counts.failed >= 1
        assert counts.completed + counts.failed == 6
        errors = await content(api, batch.error_file_id)
        codes = {line["response"]["body"]["error"]["code"] for line in errors}
        assert codes == {"budget_exceeded"}
        assert {line["response"]["status_code"] for line in errors} == {429}


async def test_a_key_that_is_taken_away_ends_its_lines(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    provider.script("ok", "slow-first-200ms")
    lines = [chat_line(n) for n in range(40)]
    policy = rules(batches={"shard_requests": 5, "parallel": 1})
    async with open_flow(rules=policy) as flow, client(flow) as api, client(flow, OTHER) as other:
        begun = await begin(api, lines)
        assert await asyncio.to_thread(provider.wait, "ok", "done", 2)
        admission = {"keys": [{"sha256": sha256(OTHER), "tenant": "a"}], "user_rpm": 0}
        flow.house.apply(rules(batches={"shard_requests": 5, "parallel": 1}, admission=admission))
        batch = await ended(other, begun.id)
        assert batch.status == "completed"
        counts = batch.request_counts
        assert counts is not None
        assert counts.completed >= 2
        errors = await content(other, batch.error_file_id)
        assert len(errors) == counts.failed == 40 - counts.completed
        assert {line["response"]["status_code"] for line in errors} == {401}
