"""pydantic-ai's agents, on its model for chat completions."""

from __future__ import annotations

import asyncio

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
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(base_url=f"{BASE_URL}/v1", api_key=KEY)


def agent(model: str = MODEL, *, with_tool: bool = False) -> Agent:
    return Agent(OpenAIChatModel(model, provider=provider), tools=[get_weather] * with_tool)


async def chat() -> None:
    result = await agent().run(QUESTION)
    same(result.output, ANSWER)


async def stream() -> None:
    async with agent().run_stream(QUESTION) as result:
        same("".join([text async for text in result.stream_text(delta=True)]), ANSWER)


async def tools() -> None:
    result = await agent(with_tool=True).run(QUESTION)
    same(result.output, TOOL_ANSWER)


async def streamed_tools() -> None:
    async with agent(with_tool=True).run_stream(QUESTION) as result:
        same(await result.get_output(), TOOL_ANSWER)


async def errors() -> None:
    with raises(ModelHTTPError) as caught:
        await agent(UNKNOWN).run(QUESTION)
    same(caught.error.status_code, 404)


CHECKS = (chat, stream, tools, streamed_tools, errors)


async def main() -> None:
    for check in CHECKS:
        await check()
        passed(check.__name__)


if __name__ == "__main__":
    asyncio.run(main())
