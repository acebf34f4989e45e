"""LangChain's OpenAI classes."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from checks import (
    ANSWER,
    BASE_URL,
    EMBEDDING,
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
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

ADDRESS: dict[str, Any] = {"base_url": f"{BASE_URL}/v1", "api_key": KEY, "max_retries": 0}

model = ChatOpenAI(model=MODEL, **ADDRESS)
weather = tool(get_weather)


def chat() -> None:
    answer = model.invoke(QUESTION)
    same(answer.content, ANSWER)
    assert answer.usage_metadata["total_tokens"] > 0


def stream() -> None:
    same("".join(str(chunk.content) for chunk in model.stream(QUESTION)), ANSWER)


def asynchronous() -> None:
    async def ask() -> str:
        return "".join([str(chunk.content) async for chunk in model.astream(QUESTION)])

    same(asyncio.run(ask()), ANSWER)


def tools() -> None:
    with_tools = model.bind_tools([weather])
    messages: list[Any] = [HumanMessage(QUESTION)]
    messages.append(with_tools.invoke(messages))
    messages += [weather.invoke(call) for call in messages[-1].tool_calls]
    same(with_tools.invoke(messages).content, TOOL_ANSWER)


def streamed_tools() -> None:
    with_tools = model.bind_tools([weather])
    messages: list[Any] = [HumanMessage(QUESTION)]
    whole = AIMessageChunk("")
    for chunk in with_tools.stream(messages):
        whole += chunk
    same([call["args"] for call in whole.tool_calls], [{"city": "Paris"}])
    messages += [whole, *(weather.invoke(call) for call in whole.tool_calls)]
    same("".join(str(chunk.content) for chunk in with_tools.stream(messages)), TOOL_ANSWER)


def errors() -> None:
    with raises(openai.NotFoundError) as caught:
        ChatOpenAI(model=UNKNOWN, **ADDRESS).invoke(QUESTION)
    same(caught.error.code, "model_not_found")


def embeddings() -> None:
    """Texts as they are: by default the class sends tokens, counted with a file from the net."""
    made = OpenAIEmbeddings(model=EMBEDDING, check_embedding_ctx_length=False, **ADDRESS)
    one, two = made.embed_documents(["one", "two"])
    assert one != two
    same(made.embed_query("one"), one)


def completions() -> None:
    made = OpenAI(model=MODEL, **ADDRESS)
    same(made.invoke(QUESTION), ANSWER)
    same("".join(made.stream(QUESTION)), ANSWER)


CHECKS = (chat, stream, asynchronous, tools, streamed_tools, errors, embeddings, completions)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        passed(check.__name__)
