"""The OpenAI Agents SDK, on its model for chat completions."""

from __future__ import annotations

import asyncio

import openai
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from checks import (
    ANSWER,
    BASE_URL,
    KEY,
    MODEL,
    QUESTION,
    TOOL_ANSWER,
    UNKNOWN,
    get_weather,
    passed,
    raises,
    same,
)

set_tracing_disabled(True)  # it would send traces to somewhere else

client = openai.AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key=KEY, max_retries=0)


def agent(model: str = MODEL, *, with_tool: bool = False) -> Agent:
    return Agent(
        name="helper",
        instructions="Be brief.",
        model=OpenAIChatCompletionsModel(model, openai_client=client),
        tools=[function_tool(get_weather)] * with_tool,
    )


async def chat() -> None:
    result = await Runner.run(agent(), QUESTION)
    same(result.final_output, ANSWER)


async def stream() -> None:
    result = Runner.run_streamed(agent(), QUESTION)
    kinds = {event.type async for event in result.stream_events()}
    assert "raw_response_event" in kinds
    same(result.final_output, ANSWER)


async def tools() -> None:
    result = await Runner.run(agent(with_tool=True), QUESTION)
    same(result.final_output, TOOL_ANSWER)


async def streamed_tools() -> None:
    result = Runner.run_streamed(agent(with_tool=True), QUESTION)
    names = [event.name async for event in result.stream_events() if hasattr(event, "name")]
    same(names.count("tool_called"), 1)
    same(result.final_output, TOOL_ANSWER)


async def errors() -> None:
    with raises(openai.NotFoundError) as caught:
        await Runner.run(agent(UNKNOWN), QUESTION)
    same(caught.error.code, "model_not_found")


CHECKS = (chat, stream, tools, streamed_tools, errors)


async def main() -> None:
    for check in CHECKS:
        await check()
        passed(check.__name__)


if __name__ == "__main__":
    asyncio.run(main())
