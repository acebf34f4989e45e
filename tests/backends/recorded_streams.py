"""Streams as providers send them, shortened: comments, nulls, fields of their own and all."""

from __future__ import annotations

import json
from typing import Any


def _sse(*payloads: object, end: str = "\n", done: bool = True) -> bytes:
    """Events of JSON payloads; a string is a line as it is."""
    lines = [
        p if isinstance(p, str) else "data: " + json.dumps(p, ensure_ascii=False) for p in payloads
    ]
    if done:
        lines.append("data: [DONE]")
    return "".join(line + end + end for line in lines).encode()


def _openai(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    head = {
        "id": "chatcmpl-C1x2", "object": "chat.completion.chunk", "created": 1760000000,
        "model": "gpt-5-mini-2025-08-07", "service_tier": "default",
        "system_fingerprint": None,
    }  # fmt: skip
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    choices = [] if delta is None else [choice]
    return {**head, "choices": choices, "usage": None, "obfuscation": "xK2", **more}


def _tool(index: int, arguments: str, **first: Any) -> dict[str, Any]:
    call = {"index": index, **first, "function": {"arguments": arguments}}
    if first:
        call["function"] = {"name": "get_weather", "arguments": arguments}
    return {"tool_calls": [call]}


_USAGE = {
    "prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 2},
}  # fmt: skip

OPENAI = _sse(
    _openai({"role": "assistant", "content": "", "refusal": None}),
    _openai({"content": "Grüße"}),
    _openai({"content": " aus 東京 🗼"}),
    _openai({"content": ' with "quotes" and \\ and \n lines'}),
    _openai({}, "stop"),
    _openai(None, usage=_USAGE),
)

OPENAI_TOOLS = _sse(
    _openai({"role": "assistant", "content": None}),
    _openai(_tool(0, "", id="call_a", type="function")),
    _openai(_tool(0, '{"city":"Mün')),
    _openai(_tool(1, "", id="call_b", type="function")),
    _openai(_tool(0, 'chen"}')),
    _openai(_tool(1, '{"city":"京都"}')),
    _openai({}, "tool_calls"),
    _openai(None, usage=_USAGE),
)


def _deepseek(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "930c60df", "object": "chat.completion.chunk", "created": 1760000000,
        "model": "deepseek-v4-pro", "system_fingerprint": "fp_x", "choices": [choice],
    }  # fmt: skip


DEEPSEEK = _sse(
    ": keep-alive",
    ": keep-alive",
    _deepseek(role="assistant", content=None, reasoning_content=""),
    _deepseek(content=None, reasoning_content="先想一想"),
    ": keep-alive",
    _deepseek(content="答案", reasoning_content=None),
    _deepseek("stop", content="", reasoning_content=None)
    | {"usage": {**_USAGE, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 8}},
)


def _vllm(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {
        "index": 0, "delta": delta, "logprobs": None, "finish_reason": finish,
        "stop_reason": None, "token_ids": None,
    }  # fmt: skip
    return {
        "id": "chatcmpl-9f", "object": "chat.completion.chunk", "created": 1760000000,
        "model": "qwen2.5-7b-instruct", "choices": [] if delta is None else [choice], **more,
    }  # fmt: skip


VLLM = _sse(
    _vllm({"role": "assistant", "content": "", "reasoning_content": None}, prompt_token_ids=None),
    _vllm({"reasoning": "hm", "reasoning_content": "hm"}),
    _vllm({"content": "é", "reasoning_content": None}),
    _vllm({"content": " 世界", "reasoning_content": None}),
    _vllm({"content": "", "reasoning_content": None}, "stop"),
    _vllm(None, usage={"prompt_tokens": 3, "total_tokens": 6, "completion_tokens": 3}),
)


def _openrouter(
    delta: dict[str, Any], finish: str | None = None, usage: dict[str, Any] | None = None
) -> dict[str, Any]:
    choice = {
        "index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish,
        "logprobs": None,
    }  # fmt: skip
    made = {
        "id": "gen-1", "provider": "Novita", "model": "z-ai/glm-5",
        "object": "chat.completion.chunk", "created": 1760000000, "choices": [choice],
    }  # fmt: skip
    return made if usage is None else {**made, "usage": usage}


OPENROUTER = _sse(
    ": OPENROUTER PROCESSING",
    ": OPENROUTER PROCESSING",
    _openrouter({"role": "assistant", "content": "", "reasoning": "let me",
                 "reasoning_details": [{"type": "reasoning.text", "text": "let me"}]}),
    ": OPENROUTER PROCESSING",
    _openrouter({"role": "assistant", "content": "naïve"}),
    _openrouter({"role": "assistant", "content": ""}, "stop"),
    _openrouter({"role": "assistant", "content": ""}, usage={**_USAGE, "cost": 0.000014}),
)  # fmt: skip

_FILTER = {"hate": {"filtered": False, "severity": "safe"}}

AZURE = _sse(
    {
        "choices": [], "created": 0, "id": "", "model": "", "object": "",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _FILTER}],
    },
    _openai({"content": "", "refusal": None, "role": "assistant"}),
    _openai({"content": "Zürich"}),
    {
        "choices": [{"content_filter_offsets": {"check_offset": 0}, "content_filter_results":
                     _FILTER, "finish_reason": None, "index": 0, "delta": {}}],
        "created": 0, "id": "", "model": "", "object": "",
    },
    _openai({}, "stop"),
    _openai(None, usage=_USAGE),
)  # fmt: skip

GROQ = _sse(
    _openai({"role": "assistant", "content": ""}, x_groq={"id": "req_1"}),
    _openai({"content": "fast ⚡"}),
    _openai({}, "stop", x_groq={"id": "req_1", "usage": _USAGE}),
)

MISTRAL_WITHOUT_SPACES = _sse(
    _openai({"role": "assistant", "content": ""}),
    _openai({"content": "voilà", "tool_calls": None}),
    _openai({"content": ""}, "stop", usage=_USAGE),
).replace(b"data: ", b"data:")

OPENAI_SHAPED = {
    "openai": OPENAI,
    "openai-tools": OPENAI_TOOLS,
    "deepseek": DEEPSEEK,
    "vllm": VLLM,
    "openrouter": OPENROUTER,
    "azure": AZURE,
    "groq": GROQ,
    "mistral": MISTRAL_WITHOUT_SPACES,
}


def _anthropic(*events: dict[str, Any]) -> bytes:
    return "".join(
        f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in events
    ).encode()


def _block(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    block = {"type": kind, **fields}
    return {"type": "content_block_start", "index": index, "content_block": block}


def _piece(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def _stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


ANTHROPIC = _anthropic(
    {
        "type": "message_start",
        "message": {
            "id": "msg_01", "type": "message", "role": "assistant", "content": [],
            "model": "claude-sonnet-4-5", "stop_reason": None, "stop_sequence": None,
            "usage": {"input_tokens": 25, "cache_read_input_tokens": 7, "output_tokens": 1},
        },
    },
    _block(0, "thinking", thinking="", signature=""),
    _piece(0, "thinking_delta", thinking="Überlegen"),
    _piece(0, "signature_delta", signature="EqQB"),
    _stop(0),
    {"type": "ping"},
    _block(1, "text", text=""),
    _piece(1, "text_delta", text="Grüße 世界"),
    _piece(1, "text_delta", text=" 🌍!"),
    _stop(1),
    _block(2, "tool_use", id="toolu_01", name="get_weather", input={}),
    _piece(2, "input_json_delta", partial_json=""),
    _piece(2, "input_json_delta", partial_json='{"city": "Mün'),
    _piece(2, "input_json_delta", partial_json='chen"}'),
    _stop(2),
    {
        "type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 41},
    },
    {"type": "message_stop"},
)  # fmt: skip


def _gemini(*parts: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 9, "candidatesTokenCount": 6, "totalTokenCount": 15,
            "thoughtsTokenCount": 0,
        },
        "modelVersion": "gemini-2.5-flash", "responseId": "r1",
    }  # fmt: skip


GEMINI = _sse(
    _gemini({"text": "thinking…", "thought": True}),
    _gemini({"text": "Grüße"}),
    _gemini({"text": " 世界 🌏"}),
    _gemini({"functionCall": {"name": "get_weather", "args": {"city": "München"}}}),
    _gemini({"text": ""}, finish="STOP"),
    end="\r\n",
    done=False,
)
