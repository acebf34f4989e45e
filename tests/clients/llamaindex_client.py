"""LlamaIndex's OpenAI classes."""

from __future__ import annotations

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
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike

ADDRESS: dict[str, Any] = {"api_base": f"{BASE_URL}/v1", "api_key": KEY, "max_retries": 0}

model = OpenAI(model=MODEL, **ADDRESS)
like = OpenAILike(model=MODEL, is_chat_model=True, is_function_calling_model=True, **ADDRESS)
MESSAGES = [ChatMessage(role="user", content=QUESTION)]


def chat() -> None:
    same(model.chat(MESSAGES).message.content, ANSWER)
    same(like.chat(MESSAGES).message.content, ANSWER)
    same(model.complete(QUESTION).text, ANSWER)


def stream() -> None:
    for llm in (model, like):
        same("".join(part.delta or "" for part in llm.stream_chat(MESSAGES)), ANSWER)


def tools() -> None:
    weather = FunctionTool.from_defaults(get_weather)
    for llm in (model, like):
        first = llm.chat_with_tools([weather], chat_history=MESSAGES)
        [call] = llm.get_tool_calls_from_response(first)
        result = ChatMessage(
            role="tool",
            content=weather(**call.tool_kwargs).content,
            additional_kwargs={"tool_call_id": call.tool_id},
        )
        second = llm.chat_with_tools([weather], chat_history=[*MESSAGES, first.message, result])
        same(second.message.content, TOOL_ANSWER)


def errors() -> None:
    with raises(openai.NotFoundError) as caught:
        OpenAILike(model=UNKNOWN, is_chat_model=True, **ADDRESS).chat(MESSAGES)
    same(caught.error.code, "model_not_found")


def embeddings() -> None:
    made = OpenAIEmbedding(model_name=EMBEDDING, **ADDRESS)
    one, two = made.get_text_embedding_batch(["one", "two"])
    assert one != two
    same(made.get_query_embedding("one"), one)


def completions() -> None:
    made = OpenAILike(model=MODEL, is_chat_model=False, **ADDRESS)
    same(made.complete(QUESTION).text, ANSWER)
    same("".join(part.delta or "" for part in made.stream_complete(QUESTION)), ANSWER)


CHECKS = (chat, stream, tools, errors, embeddings, completions)

if __name__ == "__main__":
    for check in CHECKS:
        check()
        passed(check.__name__)
