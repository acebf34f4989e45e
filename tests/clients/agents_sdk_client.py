"""The OpenAI Agents SDK, on its model for chat completions and on its default one (responses)."""

from __future__ import annotations

import asyncio

import openai
from agents import (
    Agent,
    HostedMCPTool,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    Runner,
    Tool,
    function_tool,
    set_tracing_disabled,
)
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


HOSTED = HostedMCPTool(
    tool_config={
        "type": "mcp",
        "server_label": "tests",
        "allowed_tools": ["weather"],
        "require_approval": "never",
    }
)
"""Of a server that the gateway calls."""


def responder(*tools: Tool) -> Agent:
    model = OpenAIResponsesModel(MODEL, openai_client=client)
    return Agent(name="helper", instructions="Be brief.", model=model, tools=list(tools))


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


async def responses() -> None:
    result = await Runner.run(responder(function_tool(get_weather)), QUESTION)
    same(result.final_output, TOOL_ANSWER)


async def streamed_responses() -> None:
    result = Runner.run_streamed(responder(function_tool(get_weather)), QUESTION)
    names = [event.name async for event in result.stream_events() if hasattr(event, "name")]
    same(names.count("tool_called"), 1)
    same(result.final_output, TOOL_ANSWER)


async def response_chain() -> None:
    """The SDK sends only what is new; the rest is stored."""
    helper = responder(function_tool(get_weather))
    result = await Runner.run(helper, QUESTION, auto_previous_response_id=True)
    same(result.final_output, TOOL_ANSWER)


async def conversation_session() -> None:
    session = OpenAIConversationsSession(openai_client=client)
    result = await Runner.run(responder(function_tool(get_weather)), QUESTION, session=session)
    same(result.final_output, TOOL_ANSWER)
    kinds = [item.get("type") for item in await session.get_items()]
    same(kinds, ["message", "function_call", "function_call_output", "message"])
    await session.clear_session()


async def hosted_tools() -> None:
    """The gateway calls the tool; a second question goes on from the first answer."""
    first = await Runner.run(responder(HOSTED), QUESTION)
    same(first.final_output, "The tools said: Paris: rain")
    kinds = [item.raw_item.type for item in first.new_items]
    same(kinds, ["mcp_list_tools", "mcp_call", "message"])
    second = await Runner.run(responder(), QUESTION, previous_response_id=first.last_response_id)
    same(second.final_output, ANSWER)


async def streamed_hosted_tools() -> None:
    result = Runner.run_streamed(responder(HOSTED), QUESTION)
    raw = [e.data.type async for e in result.stream_events() if e.type == "raw_response_event"]
    same(raw.count("response.mcp_call.completed"), 1)
    same(result.final_output, "The tools said: Paris: rain")


CHECKS = (
    chat,
    stream,
    tools,
    streamed_tools,
    errors,
    responses,
    streamed_responses,
    response_chain,
    conversation_session,
    hosted_tools,
    streamed_hosted_tools,
)


async def main() -> None:
    for check in CHECKS:
        await check()
        passed(check.__name__)


if __name__ == "__main__":
    asyncio.run(main())
