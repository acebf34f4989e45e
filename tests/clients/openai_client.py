"""The official `openai` client."""

from __future__ import annotations

import json
from typing import Any

import openai
from checks import (
    ANSWER,
    BASE_URL,
    BREAKING,
    EMBEDDING,
    KEY,
    MODEL,
    QUESTION,
    TOOL,
    TOOL_ANSWER,
    UNKNOWN,
    get_weather,
    passed,
    raises,
    same,
    user,
)

client = openai.OpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0)


def chat() -> None:
    answer = client.chat.completions.create(model=MODEL, messages=[user()])
    same(answer.choices[0].message.content, ANSWER)
    same(answer.choices[0].finish_reason, "stop")
    assert answer.usage.total_tokens > 0


def stream() -> None:
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=[user()], stream=True, stream_options=options
        )
    )
    same("".join(c.choices[0].delta.content or "" for c in chunks if c.choices), ANSWER)
    assert chunks[-1].usage.total_tokens > 0


def stream_helper() -> None:
    """The accumulating helper checks more of the stream than the plain iterator."""
    with client.chat.completions.stream(model=MODEL, messages=[user()]) as events:
        final = events.get_final_completion()
    same(final.choices[0].message.content, ANSWER)


def tools() -> None:
    messages: list[Any] = [user()]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
    message = first.choices[0].message
    messages += [message, *(_result(call) for call in message.tool_calls)]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[TOOL])
    same(second.choices[0].message.content, TOOL_ANSWER)


def streamed_tools() -> None:
    messages: list[Any] = [user()]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[TOOL]) as events:
        message = events.get_final_completion().choices[0].message
    messages += [message, *(_result(call) for call in message.tool_calls)]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[TOOL]) as events:
        second = events.get_final_completion()
    same(second.choices[0].message.content, TOOL_ANSWER)


def _result(call: Any) -> dict[str, str]:
    weather = get_weather(**json.loads(call.function.arguments))
    return {"role": "tool", "tool_call_id": call.id, "content": weather}


def errors() -> None:
    with raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model=UNKNOWN, messages=[user()])
    same(caught.error.code, "model_not_found")
    with raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[user()], temperature=9)
    same(caught.error.param, "temperature")
    with raises(openai.AuthenticationError) as caught:
        client.with_options(api_key="sk-wrong").chat.completions.create(
            model=MODEL, messages=[user()]
        )
    same(caught.error.code, "invalid_api_key")


def broken_stream() -> None:
    """What came is there, and then an error: never an end that looks like one."""
    chunks = []
    with raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model=BREAKING, messages=[user()], stream=True):
            chunks.append(chunk)  # noqa: PERF402 (what came before the error is wanted)
    assert "broke off" in caught.error.message, caught.error
    assert chunks
    assert not any(choice.finish_reason for chunk in chunks for choice in chunk.choices)


def embeddings() -> None:
    """The client asks for base64 by itself, and decodes it."""
    found = client.embeddings.create(model=EMBEDDING, input=["one", "two"])
    same([item.index for item in found.data], [0, 1])
    floats = client.embeddings.create(model=EMBEDDING, input="one", encoding_format="float")
    pairs = zip(found.data[0].embedding, floats.data[0].embedding, strict=True)
    assert all(abs(a - b) < 1e-6 for a, b in pairs)
    same(
        len(client.embeddings.create(model=EMBEDDING, input="x", dimensions=3).data[0].embedding), 3
    )


def completions() -> None:
    answer = client.completions.create(model=MODEL, prompt=QUESTION)
    same(answer.choices[0].text, ANSWER)
    assert answer.usage.total_tokens > 0


def streamed_completions() -> None:
    chunks = client.completions.create(model=MODEL, prompt=QUESTION, stream=True)
    same("".join(chunk.choices[0].text for chunk in chunks if chunk.choices), ANSWER)


def models() -> None:
    assert {"auto", MODEL} <= {model.id for model in client.models.list()}


CHECKS = (
    chat, stream, stream_helper, tools, streamed_tools, errors, broken_stream, embeddings,
    completions, streamed_completions, models,
)  # fmt: skip

if __name__ == "__main__":
    for check in CHECKS:
        check()
        passed(check.__name__)
