"""Kind words of `/agent/chat` when no backend can answer, in the caller's language."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from doors import events, post
from houses import Flow, Open, policy
from provider.fixtures import ScriptedProvider

WORDS = {"en": "Busy, please come back.", "zh": "系统繁忙，请稍后再试。"}


@pytest.fixture
async def busy(open_flow: Open, provider: ScriptedProvider) -> AsyncIterator[Flow]:
    """A house whose backend is down, with words for it."""
    async with open_flow(rules=policy(busy_message=WORDS)) as flow:
        provider.script("ok", "status-500")
        yield flow


@pytest.mark.parametrize(
    ("accept", "message", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "hello", "zh"),
        ("en", "你好", "en"),
        (None, "你好", "zh"),
        ("fr", "hello", "en"),
    ],
)
async def test_words_are_chosen_by_language(
    busy: Flow, accept: str | None, message: str, language: str
) -> None:
    headers = {} if accept is None else {"Accept-Language": accept}
    status, _, body = await post(busy, "/agent/chat", headers, model="ok", message=message)
    assert (status, body["message"]) == (503, WORDS[language])


async def test_a_stream_says_them_as_a_delta(busy: Flow) -> None:
    status, headers, stream = await post(
        busy, "/agent/chat", model="ok", message="hi", stream=True, session_id="s"
    )
    assert status == 503
    assert headers["content-type"].startswith("text/event-stream")
    delta, end, done = events(stream)
    assert delta == {"delta": WORDS["en"]}
    assert (end["done"], end["session_id"], end["usage"]) == (True, "s", None)
    assert done == "[DONE]"


async def test_time_that_is_up_is_busy_too(open_flow: Open, provider: ScriptedProvider) -> None:
    server = {"server": {"request_deadline_s": 0.6}}
    async with open_flow(server, policy(busy_message=WORDS)) as flow:
        provider.script("ok", "no-response")
        status, _, body = await post(flow, "/agent/chat", model="ok", message="hi")
    assert (status, body["message"]) == (503, WORDS["en"])


async def test_what_is_not_the_backends_fault_is_told(busy: Flow, open_flow: Open) -> None:
    status, _, body = await post(busy, "/agent/chat", model="nowhere", message="hi")
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    nowhere = "redis://127.0.0.1:1/0"
    async with open_flow(rules=policy(busy_message=WORDS), redis_url=nowhere) as flow:
        status, _, body = await post(flow, "/agent/chat", model="ok", message="hi", session_id="s")
    assert (status, body["error"]["code"]) == (503, "session_store_unavailable")


async def test_other_routes_give_the_error(busy: Flow) -> None:
    status, _, body = await busy.chat()
    assert status == 502
    assert "error" in body


async def test_a_stream_that_breaks_off_ends_with_the_error(
    open_flow: Open, provider: ScriptedProvider
) -> None:
    rules = policy(busy_message=WORDS, execution={"recover": False})
    async with open_flow(rules=rules) as flow:
        provider.script("ok", "cut-after-3")
        status, _, stream = await post(
            flow, "/agent/chat", model="ok", message="one two three", stream=True
        )
    made = events(stream)
    assert status == 200
    assert "delta" in made[0]
    assert "error" in made[-1]
    assert "[DONE]" not in made
