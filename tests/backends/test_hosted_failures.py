from __future__ import annotations

import pytest
from backend_calls import KEY, MakeHosted, call, fail, run, text_of
from provider.fixtures import ScriptedProvider, start, stop

from serve_app.backends.base import AttemptFailed
from serve_app.backends.hosted import Hosted
from serve_app.backends.keys import ProviderKeys
from serve_app.config.backend_settings import HostedBackend, ModelSettings
from serve_app.core.clock import FakeClock
from serve_app.core.errors import PolicyRejected

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@BOTH
@pytest.mark.parametrize(
    ("model", "kind", "status", "code"),
    [
        ("status-500", "transient", 500, ""),
        ("status-503", "transient", 503, ""),
        ("status-408", "transient", 408, ""),
        ("status-429-retry-after-1", "transient", 429, ""),
        ("status-404", "caller", 404, ""),
        ("redirect", "candidate", 307, ""),
        ("quota", "candidate", 429, "insufficient_quota"),
        ("auth", "candidate", 401, "provider_auth"),
        ("context-too-long", "candidate", 400, "context_length_exceeded"),
        ("context-in-words", "candidate", 400, "context_length_exceeded"),
        ("bad-request", "caller", 400, "invalid_value"),
        ("error-in-200", "transient", 503, ""),
        ("error-in-200-bad-request", "caller", 400, "400"),
        ("reset-before-headers", "transient", 0, "reset"),
        ("close-before-headers", "transient", 0, "reset"),
        ("not-http", "transient", 0, "malformed"),
        ("header-flood", "transient", 0, "malformed"),
        ("cut-after-3", "transient", 0, "truncated"),
        ("wrong-content-type", "transient", 200, "malformed"),
        ("malformed-body", "transient", 0, "malformed"),
        ("gzip-bomb", "candidate", 0, ""),
        ("redirect-301", "candidate", 301, ""),
        ("redirect-308", "candidate", 308, ""),
        ("endless-header", "transient", 0, "malformed"),
        ("endless-header-line", "transient", 0, "malformed"),
        ("huge-100mb", "candidate", 0, ""),
        ("content-of-azure", "content", 400, "content_policy_violation"),
        ("content-of-openrouter", "content", 403, "content_policy_violation"),
        ("context-of-gemini", "candidate", 400, "context_length_exceeded"),
    ],
)
async def test_a_failure_is_of_the_right_kind(
    hosted: Hosted, model: str, kind: str, status: int, code: str, stream: bool
) -> None:
    failed = await fail(hosted, model, stream=stream)
    assert (failed.kind, failed.status, failed.code) == (kind, status, code)
    assert KEY not in repr(failed)


@pytest.mark.parametrize(
    ("model", "kind", "code"),
    [
        ("end-after-3", "transient", "truncated"),
        ("no-finish", "transient", "truncated"),
        ("malformed-event", "transient", "malformed"),
        ("error-event", "transient", ""),
        ("error-event-after-2", "transient", ""),
        ("error-finish", "transient", ""),
        ("garbage-after-2", "transient", "malformed"),
        ("huge-event", "candidate", ""),
    ],
)
async def test_a_failure_of_a_stream_is_of_the_right_kind(
    hosted: Hosted, model: str, kind: str, code: str
) -> None:
    failed = await fail(hosted, model, stream=True)
    assert (failed.kind, failed.code) == (kind, code)


async def test_a_body_without_end_is_refused(hosted: Hosted) -> None:
    assert "larger than" in (await fail(hosted, "huge-body")).message


@pytest.mark.parametrize("model", ["cut-after-3", "error-event-after-3"])
async def test_content_before_the_failure_is_delivered(hosted: Hosted, model: str) -> None:
    batches = hosted.run(call(model, stream=True))
    assert text_of(await anext(batches)) == "You said: hello"
    with pytest.raises(AttemptFailed):
        await anext(batches)


@BOTH
async def test_retry_after_is_passed_on(hosted: Hosted, stream: bool) -> None:
    failed = await fail(hosted, "status-429-retry-after-7", stream=stream)
    assert failed.retry_after_s == 7.0


async def test_the_providers_words_are_passed_on_to_the_caller(hosted: Hosted) -> None:
    failed = await fail(hosted, "bad-request")
    assert (failed.message, failed.param) == ("Invalid value for 'temperature': 9.", "temperature")


@BOTH
async def test_a_provider_that_repeats_the_key_does_not_give_it_away(
    hosted: Hosted, stream: bool
) -> None:
    failed = await fail(hosted, "leaky", stream=stream)
    assert "[key]" in failed.message
    assert KEY not in repr(failed)
    assert KEY not in (await hosted.health()).detail


async def test_a_port_nobody_listens_on_is_transient(make_hosted: MakeHosted) -> None:
    process, provider = start()
    stop(process)
    failed = await fail(make_hosted(base_url=provider.base_url), "ok")
    assert (failed.kind, failed.code) == ("transient", "unreachable")


async def test_a_provider_that_dies_in_mid_stream_is_a_failure(make_hosted: MakeHosted) -> None:
    process, provider = start()
    try:
        batches = make_hosted(base_url=provider.base_url).run(call("stall-after-3", stream=True))
        await anext(batches)
    finally:
        stop(process)
    with pytest.raises(AttemptFailed) as caught:
        await anext(batches)
    assert caught.value.kind == "transient"


async def test_a_closed_backend_refuses_calls(hosted: Hosted) -> None:
    await run(hosted, "ok")
    await hosted.close()
    assert (await fail(hosted, "ok")).kind == "candidate"


def test_a_key_that_no_header_may_hold_is_refused(provider: ScriptedProvider) -> None:
    settings = HostedBackend(
        name="test",
        base_url=provider.base_url,
        api_key_env=["K"],
        models=[ModelSettings(id="any", context=1)],
    )
    with pytest.raises(PolicyRejected) as caught:
        ProviderKeys(settings, {"K": "sk-one\nsk-two"}, FakeClock())
    assert "sk-" not in str(caught.value)
