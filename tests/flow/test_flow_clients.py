"""Other people's clients, unmodified, against a whole gateway; their scripts are in tests/clients.

They run in an environment of their own (`make test` makes it), as programs of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from houses import Open, arguments, policy
from provider.fixtures import ScriptedProvider
from tools.mcp_world import McpWorld

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "tests/clients"
BIN = ROOT / ".venv-clients/bin"

KEY = "sk-serve-app-client"
MODEL = "gpt-4o-mini"
"""A real model's name: some clients look up what they know of it."""
EMBEDDING = "text-embedding-3-small"
BREAKING = "breaking"

CHECKS = {
    "openai_client.py": "chat stream stream_helper tools streamed_tools errors "
    "broken_stream embeddings completions streamed_completions responses streamed_responses "
    "response_tools streamed_response_chain background_responses broken_responses conversations "
    "models",
    "anthropic_client.py": "chat stream tools streamed_tools errors broken_stream count_tokens",
    "langchain_client.py": "chat stream asynchronous tools streamed_tools errors embeddings "
    "completions",
    "llamaindex_client.py": "chat stream tools errors embeddings completions",
    "pydantic_ai_client.py": "chat stream tools streamed_tools errors",
    "agents_sdk_client.py": "chat stream tools streamed_tools errors responses streamed_responses "
    "response_chain conversation_session hosted_tools streamed_hosted_tools",
    "ai_sdk_client.mjs": " ".join(
        f"{provider}:{check}"
        for provider in ("openai", "responses", "compatible", "anthropic")
        for check in ("chat", "stream", "tools", "streamed_tools", "broken_stream", "errors")
    )
    + " openai:embeddings compatible:embeddings",
}
"""What each script says it has checked, in this order, when all is well."""


def structure(base_url: str) -> dict[str, Any]:
    able = ["tools", "parallel_tools"]
    models = [
        {"id": MODEL, "context": 8000, "capabilities": able},
        {"id": BREAKING, "context": 8000},
        {"id": EMBEDDING, "context": 8000, "kind": "embedding"},
    ]
    [backend] = arguments(base_url)["backends"]
    return {"backends": [{**backend, "models": models}]}


def rules(mcp_url: str) -> Any:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    keys = {"keys": [{"sha256": digest, "tenant": "acme"}], "user_rpm": 0, "key_rpm": 0}
    tools = {"enabled": True, "mcp": [{"label": "tests", "url": mcp_url}]}
    routing = {"default": [f"p/{MODEL}"]}
    return policy(admission=keys, routing=routing, cache={"enabled": False}, tools=tools)


async def run_script(script: str, port: int) -> tuple[int | None, list[str], str]:
    """Exit status, lines said, and what was said about errors."""
    program = BIN / ("node" if script.endswith(".mjs") else "python")
    assert program.exists(), f"{program} is missing: `make test` installs the clients"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "BASE_URL": f"http://127.0.0.1:{port}",
        "GATEWAY_KEY": KEY,
        "MODEL": MODEL,
        "BREAKING_MODEL": BREAKING,
        "EMBEDDING_MODEL": EMBEDDING,
    }
    running = await asyncio.create_subprocess_exec(
        program, SCRIPTS / script, env=environ, cwd=SCRIPTS,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(100):
            out, err = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return running.returncode, out.decode().split(), err.decode()[-3000:]


@pytest.mark.parametrize("script", CHECKS)
async def test_a_client_works_unmodified(
    open_flow: Open, provider: ScriptedProvider, mcp_server: McpWorld, script: str
) -> None:
    provider.script(MODEL, "agent")
    provider.script(BREAKING, "tale+cut-after-20")
    async with open_flow(structure(provider.base_url), rules(mcp_server.url)) as flow:
        status, passed, errors = await run_script(script, flow.port)
    assert passed == CHECKS[script].split(), errors
    assert status == 0, errors
