"""Ways into a house for the tests of each API: backends that can do everything, real clients."""

from __future__ import annotations

import json
from typing import Any

from houses import MODELS, Flow
from provider.fixtures import ScriptedProvider

CAPABILITIES = [
    "tools", "parallel_tools", "json_object", "json_schema", "vision", "logprobs", "n", "seed",
    "reasoning",
]  # fmt: skip


def able(provider: ScriptedProvider) -> dict[str, Any]:
    """`args` of a house whose models can do everything."""
    models = [{"id": name, "context": 8000, "capabilities": CAPABILITIES} for name in MODELS]
    timeouts = {"connect_s": 2, "first_token_s": 2, "idle_s": 2, "total_s": 20}
    backend = {"name": "p", "base_url": provider.base_url, "models": models, "timeouts": timeouts}
    return {"backends": [backend]}


async def post(flow: Flow, path: str, headers: dict[str, str] | None = None, **body: Any) -> Any:
    """Status, headers and JSON, or the text where the answer is a stream."""
    async with flow.http.post(path, json=body, headers=headers) as answer:
        if answer.content_type == "text/event-stream":
            return answer.status, answer.headers, await answer.text()
        return answer.status, answer.headers, await answer.json()


def events(stream: str) -> list[Any]:
    """The events of a stream as values, `[DONE]` as text."""
    data = [line[6:] for line in stream.split("\n") if line.startswith("data: ")]
    return [one if one == "[DONE]" else json.loads(one) for one in data]
