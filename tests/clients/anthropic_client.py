"""The official `anthropic` client."""

from __future__ import annotations

from typing import Any

import anthropic
from checks import (
    ANSWER,
    BASE_URL,
    BREAKING,
    KEY,
    MODEL,
    TOOL,
    TOOL_ANSWER,
    UNKNOWN,
    get_weather,
    passed,
    raises,
    same,
    user,
)

client = anthropic.Anthropic(base_url=BASE_URL, api_key=KEY, max_retries=0)

WEATHER_TOOL = {
    "name": TOOL["function"]["name"],
    "description": TOOL["function"]["description"],
    "input_schema": TOOL["function"]["parameters"],
}
COMMON: dict[str, Any] = {"model": MODEL, "max_tokens": 200}


def chat() -> None:
    answer = client.messages.create(messages=[user()], system="Be brief.", **COMMON)
    same([block.text for block in answer.content], [ANSWER])
    same((answer.role, answer.stop_reason), ("assistant", "end_turn"))
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


def stream() -> None:
    with client.messages.stream(messages=[user()], **COMMON) as events:
        same("".join(events.text_stream), ANSWER)
        final = events.get_final_message()
    same(final.content[0].text, ANSWER)
    same(final.stop_reason, "end_turn")
    assert final.usage.output_tokens > 0


def tools() -> None:
    messages: list[Any] = [user()]
    first = client.messages.create(messages=messages, tools=[WEATHER_TOOL], **COMMON)
    same(first.stop_reason, "tool_use")
    second = client.messages.create(
        messages=[*messages, *_turn(first)], tools=[WEATHER_TOOL], **COMMON
    )
    same(second.content[0].text, TOOL_ANSWER)


def streamed_tools() -> None:
    messages: list[Any] = [user()]
    with client.messages.stream(messages=messages, tools=[WEATHER_TOOL], **COMMON) as events:
        first = events.get_final_message()
    same(first.stop_reason, "tool_use")
    with client.messages.stream(
        messages=[*messages, *_turn(first)], tools=[WEATHER_TOOL], **COMMON
    ) as events:
        same(events.get_final_text(), TOOL_ANSWER)


def _turn(answer: Any) -> list[dict[str, Any]]:
    """The answer with its calls, and their results."""
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": get_weather(**block.input)}
        for block in answer.content
        if block.type == "tool_use"
    ]
    return [
        {"role": "assistant", "content": answer.content},
        {"role": "user", "content": results},
    ]


def errors() -> None:
    with raises(anthropic.NotFoundError) as caught:
        client.messages.create(model=UNKNOWN, max_tokens=10, messages=[user()])
    same(caught.error.body["error"]["type"], "not_found_error")
    with raises(anthropic.BadRequestError) as caught:
        client.messages.create(messages=[], **COMMON)
    same(caught.error.body["error"]["type"], "invalid_request_error")
    with raises(anthropic.AuthenticationError) as caught:
        client.with_options(api_key="sk-wrong").messages.create(messages=[user()], **COMMON)
    same(caught.error.body["error"]["type"], "authentication_error")


def broken_stream() -> None:
    """What came is there, and then an error: never an end that looks like one."""
    events = client.messages.create(model=BREAKING, max_tokens=200, messages=[user()], stream=True)
    kinds = []
    with raises(anthropic.APIStatusError) as caught:
        for event in events:
            kinds.append(event.type)  # noqa: PERF401 (what came before the error is wanted)
    assert "broke off" in caught.error.message, caught.error
    assert "content_block_delta" in kinds
    assert "message_stop" not in kinds


def count_tokens() -> None:
    assert client.messages.count_tokens(model=MODEL, messages=[user()]).input_tokens > 0


CHECKS = (chat, stream, tools, streamed_tools, errors, broken_stream, count_tokens)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        passed(check.__name__)
