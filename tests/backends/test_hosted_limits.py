from __future__ import annotations

import asyncio

import pytest
from backend_calls import ANSWER, MakeHosted, call, collect, fail, run, text_of
from provider.fixtures import ScriptedProvider

from serve_app.backends.base import AttemptFailed
from serve_app.backends.dialects.openai import OpenAIDialect
from serve_app.backends.hosted import FAILURE_AGE_S, Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.config.backend_settings import HostedBackend, ModelSettings
from serve_app.core.clock import FakeClock

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
async def test_a_provider_that_says_nothing_is_given_up(
    make_hosted: MakeHosted, stream: bool
) -> None:
    limit = {"first_token_s" if stream else "total_s": 0.1}
    failed = await fail(make_hosted(**limit), "no-response", stream=stream)
    assert (failed.kind, failed.code) == ("transient", "timeout")
    assert "0.1 s" in failed.message


@pytest.mark.parametrize("model", ["head-only", "comments-only"])
async def test_neither_a_head_nor_comments_are_a_first_event(
    make_hosted: MakeHosted, model: str
) -> None:
    failed = await fail(make_hosted(first_token_s=0.15), model, stream=True)
    assert failed.code == "timeout"


async def test_a_body_that_stops_coming_is_given_up(make_hosted: MakeHosted) -> None:
    failed = await fail(make_hosted(idle_s=0.1), "head-only")
    assert failed.code == "timeout"


async def test_a_stream_that_stalls_is_given_up(make_hosted: MakeHosted) -> None:
    batches = make_hosted(idle_s=0.1).run(call("stall-after-3", stream=True))
    assert text_of(await anext(batches)) == "You said: hello"
    with pytest.raises(AttemptFailed) as caught:
        await anext(batches)
    assert (caught.value.kind, caught.value.code) == ("transient", "timeout")


async def test_a_slow_stream_with_pauses_below_the_limit_arrives(make_hosted: MakeHosted) -> None:
    backend = make_hosted(idle_s=1.0)
    assert text_of(await run(backend, "drip-150ms", stream=True)) == ANSWER


async def test_a_slow_reader_is_not_taken_for_a_silent_provider(make_hosted: MakeHosted) -> None:
    backend = make_hosted(idle_s=0.1)
    batches = backend.run(call("ok", stream=True))
    chunks = list(await anext(batches))
    await asyncio.sleep(0.3)  # the reader's own pause is what is tested
    chunks += await collect(batches)
    assert text_of(chunks) == ANSWER


@pytest.mark.parametrize("model", ["endless", "comments-only"])
async def test_an_endless_stream_ends_at_the_limit_of_the_call(hosted: Hosted, model: str) -> None:
    with pytest.raises(AttemptFailed) as caught:
        await collect(hosted.run(call(model, stream=True, timeout_s=0.3)))
    assert caught.value.code == "timeout"
    assert "0.3 s" in caught.value.message


async def test_a_call_waits_for_a_free_connection_no_longer_than_for_a_new_one(
    make_hosted: MakeHosted,
) -> None:
    backend = make_hosted(connections=1, connect_s=0.3)
    running = backend.run(call("stall-after-3", stream=True))
    await anext(running)
    failed = await fail(backend, "ok")
    assert (failed.code, failed.message) == ("timeout", "no connection within 0.3 s")
    await running.aclose()
    assert text_of(await run(backend, "ok")) == ANSWER


# ------------------------------------------------------------ leaving callers


@BOTH
async def test_a_caller_that_leaves_before_the_answer_stops_the_provider(
    hosted: Hosted, provider: ScriptedProvider, stream: bool
) -> None:
    task = asyncio.create_task(run(hosted, "no-response", stream=stream))
    assert await asyncio.to_thread(provider.wait, "no-response", "seen")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(provider.wait, "no-response", "aborted")


async def test_closing_a_stream_stops_the_provider(
    hosted: Hosted, provider: ScriptedProvider
) -> None:
    batches = hosted.run(call("endless", stream=True))
    await anext(batches)
    await batches.aclose()
    assert await asyncio.to_thread(provider.wait, "endless", "aborted")


async def test_a_caller_cancelled_in_mid_stream_stops_the_provider(
    hosted: Hosted, provider: ScriptedProvider
) -> None:
    task = asyncio.create_task(run(hosted, "stall-after-3", stream=True))
    assert await asyncio.to_thread(provider.wait, "stall-after-3", "seen")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(provider.wait, "stall-after-3", "aborted")


# --------------------------------------------------------------------- health


async def test_health_is_what_the_last_call_said(provider: ScriptedProvider) -> None:
    clock = FakeClock()
    settings = HostedBackend(
        name="test", base_url=provider.base_url, models=[ModelSettings(id="any", context=1)]
    )
    backend = Hosted(settings, ProviderKeys(settings, {}, clock), OpenAIDialect(settings), clock)
    try:
        assert (await backend.health()).ok
        await fail(backend, "status-500")
        assert not (await backend.health()).ok
        clock.advance(FAILURE_AGE_S)
        assert (await backend.health()).ok
        await fail(backend, "status-500")
        await run(backend, "ok")
        assert (await backend.health()).ok
    finally:
        await backend.close()


@pytest.mark.parametrize("model", ["bad-request", "context-too-long"])
async def test_a_wrong_request_says_nothing_about_the_backend(hosted: Hosted, model: str) -> None:
    await fail(hosted, model)
    assert (await hosted.health()).ok


async def test_health_asks_nobody(hosted: Hosted, provider: ScriptedProvider) -> None:
    await hosted.health()
    assert provider.log() == []
