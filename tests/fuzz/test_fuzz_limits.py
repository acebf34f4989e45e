"""Ways around a key's limits: however a request is written, five a minute are five a minute.

What counts is what the provider was asked: each key's prompts hold the key's own word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import pytest
from dodger import RPM, Dodger, Headers, key_forms
from fuzz_house import Running, digest, keyed, opened
from hypothesis import given, settings
from hypothesis import strategies as st
from provider.fixtures import ScriptedProvider
from raw_http import exchange, request
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey

BUDGET_MICRO_USD = 500
"""At 1 USD for a million tokens of prompt and 2 USD for a million of answer."""
POOL = 120


NewDodger = Callable[..., Dodger]


@pytest.fixture(scope="module")
def limited(valkey: EmbeddedValkey, provider_process: ScriptedProvider) -> Iterator[Running]:
    """A house with many keys: those with an even number have a limit, the others a budget."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    provider_process.reset()
    limits: list[dict[str, Any]] = [
        {"requests_per_minute": RPM}, {"budget": {"day": BUDGET_MICRO_USD / 1e6}},
    ]  # fmt: skip
    entries = [
        {"sha256": digest(f"sk-{n}"), "tenant": f"t{n}", "user": "u", "limits": limits[n % 2]}
        for n in range(POOL)
    ]
    with opened(provider_process, valkey.url, keyed(*entries)) as running:
        yield running


@pytest.fixture(scope="module")
def new(limited: Running, provider_process: ScriptedProvider) -> NewDodger:
    """Gives keys that were never used, with a limit of requests or with a budget."""
    unused = {False: iter(range(0, POOL, 2)), True: iter(range(1, POOL, 2))}

    def dodger(*, budget: bool = False) -> Dodger:
        return Dodger(str(next(unused[budget])), limited, provider_process)

    return dodger


# -------------------------------------------------------------- what counts

COUNTED = [
    "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/completions",
    "/v1/embeddings", "/v1/route", "/agent/chat", "/v1/cache/warm",
]  # fmt: skip


@pytest.mark.parametrize("path", COUNTED)
def test_every_route_counts(new: NewDodger, path: str) -> None:
    who = new()
    statuses = [who.ask(path).status for _ in range(RPM + 2)]
    assert statuses == [200] * RPM + [429] * 2
    assert {who.ask(other).status for other in COUNTED} == {429}
    who.assert_held()


def test_what_the_cache_serves_counts(new: NewDodger) -> None:
    who = new()
    same = [{"role": "user", "content": f"{who.word} the same"}]
    answers = [who.ask(messages=same) for _ in range(RPM + 3)]
    assert [answer.status for answer in answers] == [200] * RPM + [429] * 3
    assert answers[1].headers["x-serve-app-cache"] != "miss"
    assert who.asked() == 1


def test_each_prompt_counts(new: NewDodger) -> None:
    who = new()
    prompts = [f"{who.word}p{n}" for n in range(16)]
    who.begin()
    assert who.ask("/v1/completions", prompt=prompts[:3]).status == 200
    assert who.ask("/v1/completions", prompt=prompts).status == 429
    assert who.ask("/v1/completions", prompt=prompts[:1]).status == 429
    assert 3 <= who.asked() <= who.allowed


# ------------------------------------------------------------------ writing

WRITTEN = [
    b"/v1/chat%2Fcompletions", b"/v1/chat/c%6Fmpletions", b"/%76%31/chat/completions",
    b"http://other.example/v1/chat/completions", b"/v1/chat/completions?user=other",
    b"/v1/chat/completions?x=%00#y", b"/v1/chat/completions/", b"//v1/chat/completions",
    b"/V1/Chat/Completions", b"/v1/chat/completions;x=y", b"/v1/./chat/completions",
    b"/v1/x/../chat/completions", b"/v1//chat/completions", b"/v1/chat/completions%20",
    b"/v1/chat/completions%00", b"/v1/chat%252Fcompletions", b"/v1\\chat\\completions",
]  # fmt: skip


def test_a_path_in_other_writings_is_the_same_path(new: NewDodger) -> None:
    who = new()
    statuses = {who.ask(written=written).status for _ in range(3) for written in WRITTEN}
    assert statuses == {200, 404, 429}
    who.assert_held()


def test_a_key_in_another_header_is_the_same_key(new: NewDodger) -> None:
    who = new()
    forms = key_forms(who.key)
    first = [who.ask(headers=form).status for form in forms]
    assert first == [200] * RPM + [429] * (len(forms) - RPM), "each of them is the key"
    assert {who.ask(headers=form).status for form in reversed(forms)} == {429}
    who.assert_held()


@pytest.mark.parametrize("change", [str.upper, str.title, "{}x".format])
def test_a_key_in_another_case_is_no_key(new: NewDodger, change: Callable[[str], str]) -> None:
    who = new()
    header = (b"Authorization", f"Bearer {change(who.key)}".encode("latin-1"))
    assert who.ask(headers=[header]).status == 401


TWO = {
    "bearer before x-api-key": lambda a, b: [a.bearer, (b"x-api-key", b.key.encode())],
    "x-api-key before bearer": lambda a, b: [(b"x-api-key", b.key.encode()), a.bearer],
    "the last bearer": lambda a, b: [b.bearer, a.bearer],
    "the last x-api-key": lambda a, b: [
        (b"x-api-key", b.key.encode()), (b"x-api-key", a.key.encode()),
    ],
}  # fmt: skip
"""Headers with two keys, of which the first one's counts."""


@pytest.mark.parametrize("headers", TWO.values(), ids=TWO)
def test_of_two_keys_the_same_one_asks_and_pays(
    limited: Running, new: NewDodger, headers: Callable[[Dodger, Dodger], Headers]
) -> None:
    payer, other = new(), new()
    both = headers(payer, other)
    usage = exchange(limited.port, request(b"/v1/usage", b"", both, b"GET"))
    assert usage is not None
    assert usage.json["key"] == digest(payer.key)[:12]
    statuses = [payer.ask(headers=both).status for _ in range(RPM + 1)]
    assert statuses == [200] * RPM + [429]
    assert payer.ask().status == 429
    assert [other.ask().status for _ in range(RPM + 1)] == [200] * RPM + [429]


# ------------------------------------------------------ what callers may say

said = st.sampled_from(
    ["x-forwarded-for", "forwarded", "x-real-ip", "x-forwarded-host", "x-forwarded-user",
     "x-original-url", "x-rewrite-url", "x-http-method-override", "host", "via", "cookie",
     "x-request-id", "traceparent", "x-request-timeout-seconds", "serve_multiplexed_model_id",
     "x-serve-app-priority", "x-serve-app-cache-tags", "x-serve-app-tenant", "x-serve-app-user",
     "x-serve-app-key", "x-serve-app-admin", "openai-organization", "openai-project",
     "anthropic-version", "cache-control", "user-agent", "origin", "idempotency-key"]
)  # fmt: skip
heard = st.sampled_from(
    ["127.0.0.1", "10.0.0.1, 127.0.0.1", "for=127.0.0.1", "localhost", "admin", "other", "batch",
     "0.001", "999999", "-1", "/v1/models", "GET", "no-cache", "no-store", "tenant=other", "1"]
)  # fmt: skip


@settings(max_examples=12, derandomize=True, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(st.lists(st.tuples(said, heard), min_size=1, max_size=4), st.text(max_size=8)),
        min_size=12, max_size=12,
    )
)  # fmt: skip
def test_what_a_caller_says_of_itself_changes_nothing(
    new: NewDodger, requests: list[tuple[list[tuple[str, str]], str]]
) -> None:
    who = new()
    for headers, user in requests:
        told = [(name.encode(), value.encode()) for name, value in headers]
        who.ask(headers=[*told, who.bearer], user=user, metadata={"user_id": user})
    while who.good < RPM:  # some of them were refused for what they said
        assert who.ask().status == 200
    assert who.ask().status == 429
    who.assert_held()


def test_one_caller_with_many_unknown_keys_is_one_caller(
    valkey: EmbeddedValkey, provider: ScriptedProvider
) -> None:
    """Where nobody needs a key, nobody gets more for making some up."""
    rules = keyed(require_key=False, limits=[{"per": ["user"], "requests_per_minute": RPM}])
    with opened(provider, valkey.url, rules) as house:
        who = Dodger("anonymous", house, provider)
        for n in range(3 * RPM):
            who.ask(headers=[(b"Authorization", b"Bearer sk-made-up-%d" % n)], user=f"u{n}")
        who.assert_held()


# -------------------------------------------------------------- at one time


async def _burst(house: Running, who: Dodger, times: int, **more: Any) -> list[int]:
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"authorization": f"Bearer {who.key}"}
    who.begin()
    async with aiohttp.ClientSession(house.url, connector=connector, headers=headers) as http:

        async def once(n: int) -> int:
            path = COUNTED[n % 5]
            async with http.post(path, json={**who.body(path), **more}) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(once(n) for n in range(times)))


async def test_a_burst_is_as_many_requests_as_it_has(limited: Running, new: NewDodger) -> None:
    who = new()
    statuses = await _burst(limited, who, 200)
    assert set(statuses) == {200, 429}
    who.good = statuses.count(200)
    await asyncio.to_thread(who.assert_held)


async def test_a_burst_spends_no_more_than_the_budget(limited: Running, new: NewDodger) -> None:
    who = new(budget=True)
    statuses = await _burst(limited, who, 200)
    assert set(statuses) == {200, 429}
    spent = await asyncio.to_thread(who.spent_micro_usd)
    assert 0 < spent <= BUDGET_MICRO_USD


async def _leave_early(house: Running, who: Dodger, times: int, text: str, model: str) -> None:
    """Ask for streams, and leave each at its first bytes."""
    headers = {"authorization": f"Bearer {who.key}"}
    who.begin()
    async with aiohttp.ClientSession(house.url, headers=headers) as http:
        for n in range(times):
            messages = [{"role": "user", "content": f"{who.word}{n} {text}"}]
            body = {"model": model, "stream": True, "max_tokens": 60, "messages": messages}
            async with http.post("/v1/chat/completions", json=body) as answer:
                assert answer.status in (200, 429)
                await answer.content.readany()
                answer.close()


async def test_streams_that_are_left_count(
    limited: Running, new: NewDodger, provider_process: ScriptedProvider
) -> None:
    provider_process.script("second", "drip-20ms")
    who = new()
    await _leave_early(limited, who, 30, "hello", "second")
    assert RPM <= await asyncio.to_thread(who.asked) <= who.allowed


async def test_streams_that_are_left_are_paid(
    limited: Running, new: NewDodger, provider_process: ScriptedProvider
) -> None:
    """Each has cost its prompt at least, forty of five hundred micro-dollars; what was not waited
    for may have been answered to its end, and is paid."""
    provider_process.script("ok", "drip-20ms")
    who = new(budget=True)
    await _leave_early(limited, who, 30, "word " * 40, "ok")
    provider_process.script("ok", "ok")
    asked = await asyncio.to_thread(who.asked)
    spent = await asyncio.to_thread(who.spent_micro_usd)
    assert 2 <= asked <= BUDGET_MICRO_USD / 40
    assert 40 * asked <= spent <= BUDGET_MICRO_USD


# ---------------------------------------------------------------- a model's

MODEL_NAMES = ["ok", "p/ok", "OK", "Ok", "P/OK", "p/OK", " ok", "ok ", "p//ok", "/ok", "fine"]


@pytest.mark.parametrize("rule", [{"per": ["key", "model"]}, {"per": ["key"], "models": ["ok"]}])
def test_a_model_by_another_name_is_the_same_model(
    valkey: EmbeddedValkey, provider: ScriptedProvider, rule: dict[str, Any]
) -> None:
    entry = {"sha256": digest("sk-models"), "tenant": "models", "user": "u"}
    rules = keyed(entry, limits=[{**rule, "requests_per_minute": RPM}])
    with opened(provider, valkey.url, rules) as house:
        who = Dodger("models", house, provider)
        statuses = {who.ask(model=name).status for _ in range(4) for name in MODEL_NAMES}
        assert statuses <= {200, 404, 429}
        who.assert_held()
