"""Batches by the official `openai` client against a whole gateway."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from houses import Flow, policy
from openai.types import Batch

from serve_app.config.policy import Policy

CHAT = "/v1/chat/completions"
KEY = "sk-serve-app-batches"
OTHER = "sk-serve-app-other"
LIMIT_S = 60.0


def rules(**more: Any) -> Policy:
    """Two tenants, each with a key; no cache, so that every line asks the provider."""
    keys = [{"sha256": sha256(key), "tenant": name} for key, name in ((KEY, "a"), (OTHER, "b"))]
    admission = {"keys": keys, "user_rpm": 0, "key_rpm": 0}
    return policy(**{"admission": admission, "cache": {"enabled": False}, **more})


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@asynccontextmanager
async def client(flow: Flow, key: str = KEY) -> AsyncIterator[openai.AsyncOpenAI]:
    base_url = f"http://127.0.0.1:{flow.port}/v1"
    async with openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0) as made:
        yield made


def chat_line(number: int, model: str = "ok", **changes: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"line {number}"}]}
    return {
        "custom_id": f"request-{number}",
        "method": "POST",
        "url": CHAT,
        "body": body,
        **changes,
    }


def jsonl(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def upload(api: openai.AsyncOpenAI, content: bytes, name: str = "in.jsonl") -> str:
    file = io.BytesIO(content)
    return (await api.files.create(file=(name, file), purpose="batch")).id


async def begin(api: openai.AsyncOpenAI, lines: list[dict[str, Any]], **more: Any) -> Batch:
    endpoint: Any = lines[0]["url"]
    return await api.batches.create(
        input_file_id=await upload(api, jsonl(lines)),
        endpoint=endpoint,
        completion_window="24h",
        **more,
    )


async def ended(api: openai.AsyncOpenAI, batch_id: str) -> Batch:
    """The batch when it is over."""
    async with asyncio.timeout(LIMIT_S):
        while (batch := await api.batches.retrieve(batch_id)).status not in (
            "completed", "failed", "expired", "cancelled",
        ):  # fmt: skip
            await asyncio.sleep(0.05)
    return batch


async def until(api: openai.AsyncOpenAI, batch_id: str, status: str) -> Batch:
    async with asyncio.timeout(LIMIT_S):
        while (batch := await api.batches.retrieve(batch_id)).status != status:
            await asyncio.sleep(0.02)
    return batch


async def content(api: openai.AsyncOpenAI, file_id: str | None) -> list[Any]:
    """The lines of a file."""
    assert file_id is not None
    text = (await api.files.content(file_id)).text
    return [json.loads(line) for line in text.splitlines()]


def said(line: Any) -> str:
    """The text of a line's answer."""
    text: str = line["response"]["body"]["choices"][0]["message"]["content"]
    return text
