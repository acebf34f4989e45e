"""The official `openai` client."""

from __future__ import annotations

import json
import time
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


OWN_TOOL = {"type": "function", **TOOL["function"], "strict": False}
"""The tool as the Responses API has it."""


def responses() -> None:
    answer = client.responses.create(model=MODEL, input=QUESTION, instructions="be brief")
    same(answer.output_text, ANSWER)
    same(answer.status, "completed")
    same(client.responses.retrieve(answer.id), answer)
    [item] = client.responses.input_items.list(answer.id)
    same(item.content[0].text, QUESTION)
    client.responses.delete(answer.id)
    with raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def streamed_responses() -> None:
    with client.responses.stream(model=MODEL, input=QUESTION) as events:
        texts = [e.delta for e in events if e.type == "response.output_text.delta"]
        final = events.get_final_response()
    same("".join(texts), ANSWER)
    same(final.output_text, ANSWER)
    assert final.usage.total_tokens > 0


def response_tools() -> None:
    """Statelessly: what the model said goes back with the results."""
    asked: list[Any] = [user()]
    first = client.responses.create(model=MODEL, input=asked, tools=[OWN_TOOL], store=False)
    asked += [*first.output, *(_output(call) for call in first.output)]
    second = client.responses.create(model=MODEL, input=asked, tools=[OWN_TOOL], store=False)
    same(second.output_text, TOOL_ANSWER)


def streamed_response_chain() -> None:
    """With what is stored: only the results are sent."""
    with client.responses.stream(model=MODEL, input=QUESTION, tools=[OWN_TOOL]) as events:
        first = events.get_final_response()
    with client.responses.stream(
        model=MODEL,
        input=[_output(call) for call in first.output],
        tools=[OWN_TOOL],
        previous_response_id=first.id,
    ) as events:
        second = events.get_final_response()
    same(second.output_text, TOOL_ANSWER)


def _output(call: Any) -> dict[str, str]:
    weather = get_weather(**json.loads(call.arguments))
    return {"type": "function_call_output", "call_id": call.call_id, "output": weather}


def background_responses() -> None:
    queued = client.responses.create(model=MODEL, input=QUESTION, background=True)
    until = time.monotonic() + 20
    while (answer := client.responses.retrieve(queued.id)).status in ("queued", "in_progress"):
        assert time.monotonic() < until, answer
        time.sleep(0.05)
    same(answer.output_text, ANSWER)
    same(client.responses.cancel(queued.id).status, "completed")
    stream = client.responses.create(model=MODEL, input=QUESTION, background=True, stream=True)
    events = list(stream)
    same(events[-1].response.output_text, ANSWER)
    rest = client.responses.retrieve(events[0].response.id, stream=True, starting_after=2)
    same(list(rest), events[3:])


def broken_responses() -> None:
    events = []
    with raises(openai.APIError) as caught:
        for event in client.responses.create(model=BREAKING, input=QUESTION, stream=True):
            events.append(event)  # noqa: PERF402 (what came before the error is wanted)
    assert "broke off" in caught.error.message, caught.error
    assert events
    assert not any(event.type == "response.completed" for event in events)


def conversations() -> None:
    conversation = client.conversations.create(metadata={"topic": "tests"})
    client.responses.create(model=MODEL, input=QUESTION, conversation=conversation.id)
    items = client.conversations.items.list(conversation.id, order="asc")
    same([item.content[0].text for item in items], [QUESTION, ANSWER])
    client.conversations.delete(conversation.id)
    with raises(openai.NotFoundError):
        client.conversations.retrieve(conversation.id)


def models() -> None:
    assert {"auto", MODEL} <= {model.id for model in client.models.list()}


CHECKS = (
    chat, stream, stream_helper, tools, streamed_tools, errors, broken_stream, embeddings,
    completions, streamed_completions, responses, streamed_responses, response_tools,
    streamed_response_chain, background_responses, broken_responses, conversations, models,
)  # fmt: skip

if __name__ == "__main__":
    for check in CHECKS:
        check()
        passed(check.__name__)
