"""How requests change for providers that are like OpenAI but for some things."""

from __future__ import annotations

import json
from typing import Any

import pytest
from backend_calls import MakeHosted, call, collect, run
from msgspec import structs
from provider.answers import tale
from provider.fixtures import ScriptedProvider
from provider.vectors import vector

from serve_app.backends.base import AttemptFailed, Call
from serve_app.backends.dialects.openai import OpenAIDialect
from serve_app.config.backend_settings import HostedBackend, ModelSettings, Quirks

USER = {"role": "user", "content": "hi"}


def dialect(*, drop: list[str] | None = None, **quirks: Any) -> OpenAIDialect:
    """Args:
    drop: of the one model `m`.
    """
    settings = HostedBackend(
        name="test",
        base_url="http://127.0.0.1:9",
        models=[ModelSettings(id="m", context=1, drop=drop or [])],
        quirks=Quirks(**quirks),
    )
    return OpenAIDialect(settings)


def asking(prefix: str = "", model: str = "m", **fields: Any) -> Call:
    body = json.dumps({"model": model, "messages": [USER], **fields}).encode()
    return Call("test", model, body, False, "r", 1.0, prefix=prefix)


def sent(made: OpenAIDialect, asked: Call) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(made.body(asked))
    return value


# ------------------------------------------------------------------- fields


def test_a_request_that_needs_no_change_goes_out_as_its_bytes() -> None:
    made = dialect(drop=["seed"], rename={"max_tokens": "limit"}, stream_usage=False)
    asked = asking(temperature=0.5, unknown={"x": [1, None, 1e3]})
    assert made.body(asked) is asked.body


def test_fields_are_dropped_for_the_backend_and_for_a_model() -> None:
    made = dialect(drop=["temperature"])
    fields = {"temperature": 1, "seed": 7}
    assert sent(made, asking(**fields)) == {"model": "m", "messages": [USER], "seed": 7}
    assert sent(made, asking(model="other", **fields))["temperature"] == 1
    assert sent(dialect(drop=["seed"]), asking(seed=7)) == {"model": "m", "messages": [USER]}


def test_fields_are_renamed_and_the_right_name_wins() -> None:
    made = dialect(rename={"max_completion_tokens": "max_tokens"})
    assert sent(made, asking(max_completion_tokens=5))["max_tokens"] == 5
    both = sent(made, asking(max_completion_tokens=5, max_tokens=9))
    assert (both["max_tokens"], "max_completion_tokens" in both) == (9, False)


def test_usage_in_streams_is_not_asked_for_where_nobody_knows_it() -> None:
    made = dialect(stream_usage=False)
    assert "stream_options" not in sent(made, asking(stream_options={"include_usage": True}))


def test_fields_of_other_dialects_are_left_out_wherever_they_stand() -> None:
    cached = {"cache_control": {"type": "ephemeral"}}
    messages = [
        {"role": "system", "content": [{"type": "text", "text": "cache_control", **cached}]},
        {
            "role": "assistant",
            "content": None,
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}],
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}, **cached}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "no", "is_error": True, **cached},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}, **cached}]
    got = sent(dialect(), asking(messages=messages, tools=tools))
    assert got["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "cache_control"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "no"},
    ]
    assert got["tools"] == [{"type": "function", "function": {"name": "f", "parameters": {}}}]


def test_a_schema_may_use_the_names_of_those_fields() -> None:
    parameters = {"type": "object", "properties": {"cache_control": {"type": "string"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    assert sent(dialect(), asking(tools=tools))["tools"] == tools


def test_a_provider_that_knows_them_gets_them() -> None:
    message = {**USER, "cache_control": {"type": "ephemeral"}, "is_error": True}
    got = sent(dialect(keep=["cache_control"]), asking(messages=[message]))
    assert got["messages"] == [{**USER, "cache_control": {"type": "ephemeral"}}]


def test_fields_of_messages_can_be_dropped() -> None:
    said = {"role": "assistant", "content": "a", "reasoning_content": "hm"}
    made = dialect(drop=["messages.reasoning_content"])
    got = sent(made, asking(messages=[USER, said]))
    assert got["messages"] == [USER, {"role": "assistant", "content": "a"}]
    same = asking(reasoning_effort="low")
    assert made.body(same) is same.body


# ------------------------------------------------------------------- prefix

BEGUN = "Once upon a \n"


@pytest.mark.parametrize(
    ("style", "mark", "fields"),
    [
        ("bare", {}, {}),
        ("partial", {"partial": True}, {}),
        ("prefix", {"prefix": True}, {}),
        ("vllm", {}, {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)
def test_a_begun_answer_is_handed_over_to_the_last_space(
    style: str, mark: dict[str, bool], fields: dict[str, bool]
) -> None:
    begun = {"role": "assistant", "content": BEGUN, **mark}
    got = sent(dialect(prefix=style), asking(BEGUN))
    assert got == {"model": "m", "messages": [USER, begun], **fields}


def test_what_the_caller_had_begun_is_begun_further() -> None:
    said = {"role": "assistant", "content": "Well. ", "name": "a"}
    got = sent(dialect(prefix="partial"), asking(BEGUN, messages=[USER, said]))
    assert got["messages"] == [USER, {**said, "content": "Well. " + BEGUN, "partial": True}]


@pytest.mark.parametrize(
    ("style", "fields"),
    [("none", {}), ("partial", {"response_format": {"type": "json_object"}})],
)
def test_who_cannot_go_on_is_passed_over(style: str, fields: dict[str, Any]) -> None:
    with pytest.raises(AttemptFailed) as caught:
        dialect(prefix=style).body(asking(BEGUN, **fields))
    assert caught.value.kind == "candidate"


@pytest.mark.parametrize("format_", [None, {"type": "text"}])
def test_plain_text_can_be_gone_on_from(format_: object) -> None:
    assert dialect(prefix="bare").body(asking(BEGUN, response_format=format_))


@pytest.mark.parametrize("style", ["bare", "partial", "prefix", "vllm"])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_provider_goes_on_from_it(
    make_hosted: MakeHosted, style: str, stream: bool
) -> None:
    backend = make_hosted(quirks={"prefix": style})
    whole = tale("tell me")
    asked = call(f"tale+{style}+ok", text="tell me", stream=stream)
    chunks = await collect(backend.run(structs.replace(asked, prefix=whole[:50])))
    rest = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    assert whole[:50] + rest == whole


async def test_a_prefix_that_is_refused_is_not_the_callers_fault(make_hosted: MakeHosted) -> None:
    backend = make_hosted(quirks={"prefix": "bare"})
    asked = structs.replace(call("tale+no-prefix+ok"), prefix="Once")
    with pytest.raises(AttemptFailed) as caught:
        await collect(backend.run(asked))
    assert (caught.value.kind, caught.value.status) == ("candidate", 400)


# ------------------------------------------------------- where it goes, and how


def test_paths_name_the_model_and_the_version() -> None:
    made = dialect(
        path="/openai/deployments/{model}/chat/completions",
        query={"api-version": "2024-10-21", "x": "a b&c"},
    )
    chat, vectors = asking(model="a/b ü"), structs.replace(asking(), endpoint="embeddings")
    query = "?api-version=2024-10-21&x=a+b%26c"
    assert made.path(chat) == f"/openai/deployments/a%2Fb%20%C3%BC/chat/completions{query}"
    assert made.path(vectors) == f"/openai/deployments/m/embeddings{query}"
    assert dialect().path(chat) == "/chat/completions"
    assert dialect(path="/generate").path(vectors) == "/embeddings"


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ("bearer", {"Authorization": "Bearer k"}),
        ("api-key", {"api-key": "k"}),
        ("x-api-key", {"x-api-key": "k"}),
        ("x-goog-api-key", {"x-goog-api-key": "k"}),
    ],
)
def test_the_key_goes_into_its_header(auth: str, header: dict[str, str]) -> None:
    made = dialect(auth=auth, headers={"X-Team": "a"})
    assert made.headers("k") == {"X-Team": "a", **header}
    assert made.headers(None) == {"X-Team": "a"}


async def test_all_of_it_arrives(make_hosted: MakeHosted, provider: ScriptedProvider) -> None:
    backend = make_hosted(
        base_url=provider.base_url.removesuffix("/v1") + "/",
        keys=("sk-azure",),
        quirks={"auth": "api-key", "path": "/v1/chat/completions", "query": {"v": "2024 a/b"}},
    )
    await run(backend, "ok")
    [entry] = provider.log()
    assert (entry["key"], entry["has_authorization"]) == ("sk-azure", False)
    assert entry["path"] == "/v1/chat/completions?v=2024+a/b"


# --------------------------------------------------------------- embeddings


async def test_embeddings_are_one_whole_chunk(make_hosted: MakeHosted) -> None:
    body = json.dumps({"model": "ok", "input": ["a", "b"]}).encode()
    asked = Call("test", "ok", body, False, "r", 10.0, endpoint="embeddings")
    [chunk] = await collect(make_hosted().run(asked))
    assert (chunk.whole, chunk.choices) == (True, [])
    assert chunk.usage is not None
    assert chunk.usage.prompt_tokens == 2
    data = json.loads(chunk.raw)["data"]
    assert [item["embedding"] for item in data] == [vector("a"), vector("b")]


@pytest.mark.parametrize(
    ("model", "kind", "code"),
    [("malformed-body", "transient", "malformed"), ("error-in-200", "transient", ""),
     ("status-503", "transient", ""), ("bad-request", "caller", "invalid_value")],
)  # fmt: skip
async def test_embeddings_fail_as_chats_do(
    make_hosted: MakeHosted, model: str, kind: str, code: str
) -> None:
    body = json.dumps({"model": model, "input": "a"}).encode()
    asked = Call("test", model, body, False, "r", 10.0, endpoint="embeddings")
    with pytest.raises(AttemptFailed) as caught:
        await collect(make_hosted().run(asked))
    assert (caught.value.kind, caught.value.code) == (kind, code)
