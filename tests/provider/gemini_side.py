"""The scripted provider as Google's Gemini API: `POST /v1beta/models/{model}:{method}`.

The model's name says how it behaves, as on OpenAI's side; what the API would refuse is refused
(`gemini_rules.py`) before that.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any
from urllib.parse import parse_qs, urlsplit

import gemini_says as says
from acting import FOREVER_S, SSE
from answers import encode, event
from connection import Exchange, Request
from gemini_rules import complaint, signature_of
from registry import Registry

_registry = Registry()
behaves = _registry.behaves


async def act(name: str, request: Request, exchange: Exchange) -> None:
    """Answer a request for content or embeddings as the named behaviour does."""
    body = request.json()
    url = urlsplit(request.path)
    model, _, method = url.path.rpartition("/")[2].partition(":")
    if "x-goog-api-key" not in request.headers:
        refuse(exchange, 403, "Method doesn't allow unregistered callers")
    elif method == "batchEmbedContents":
        embed(body, exchange, model)
    elif said := complaint(body, model):
        refuse(exchange, 400, said)
    elif method == "streamGenerateContent" and parse_qs(url.query).get("alt") != ["sse"]:
        refuse(exchange, 400, "this side only streams with alt=sse")
    else:
        body |= {"model": model, "stream": method == "streamGenerateContent"}
        await _registry.play(name, body, exchange, request, otherwise=ok)


def refuse(exchange: Exchange, status: int, what: str, **more: Any) -> None:
    exchange.whole(status, encode(says.error(status, what, **more)))


def embed(body: dict[str, Any], exchange: Exchange, model: str) -> None:
    """Vectors that tell the length of each text."""
    vectors = []
    for request in body["requests"]:
        if request["model"] != f"models/{model}":
            refuse(exchange, 400, "BatchEmbedContentsRequest.requests.model must match the path")
            return
        length = len(request["content"]["parts"][0]["text"])
        vectors.append({"values": [length, 0.5, -0.25][: request.get("outputDimensionality", 3)]})
    exchange.whole(200, encode({"embeddings": vectors}))


async def _say(
    body: dict[str, Any], exchange: Exchange, parts: list[dict[str, Any]],
    finish: str | None = "STOP", **counts: int,
) -> None:  # fmt: skip
    """Parts, one an event; the last one says why it ended."""
    counted = says.usage(body, len(parts), **counts)
    if not body["stream"]:
        exchange.whole(200, encode(says.response(body, says.merged(parts), finish, counted)))
        return
    exchange.begin(SSE)
    for at, part in enumerate(parts or [{"text": ""}]):
        last = at >= len(parts) - 1
        said = says.response(body, [part], finish if last else None, counted)
        exchange.send(event(encode(said)))
        await exchange.flushed()
    exchange.end()


async def ok(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await _say(body, exchange, says.texts(body))


@behaves(r"(?:gemini-\d-)?tools(-parallel)?")
async def tools(
    body: dict[str, Any], exchange: Exchange, request: Request, parallel: str | None
) -> None:
    """A call of the first function, or two at once; once the results are there, a text."""
    if says.results(body):
        await ok(body, exchange, request)
        return
    cities = says.CITIES if parallel else says.CITIES[:1]
    await _say(body, exchange, [says.call(body, n, city=city) for n, city in enumerate(cities)])


@behaves(r"thinking")
async def thinking(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    thoughts = [{"text": text, "thought": True} for text in says.THOUGHTS]
    last = {"text": " Done.", "thoughtSignature": signature_of("text")}
    await _say(body, exchange, [*thoughts, *says.texts(body), last], thoughts=40)


@behaves(r"cached")
async def cached(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    await _say(body, exchange, says.texts(body), cached=100)


@behaves(r"finish-(\w+)")
async def finish(body: dict[str, Any], exchange: Exchange, request: Request, why: str) -> None:
    await _say(body, exchange, says.texts(body), why)


@behaves(r"blocked")
async def blocked(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    said = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "modelVersion": body["model"],
            "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}  # fmt: skip
    if not body["stream"]:
        exchange.whole(200, encode(said))
        return
    exchange.begin(SSE)
    exchange.send(event(encode(said)))
    exchange.end()


@behaves(r"logprobs")
async def logprobs(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    said = says.response(body, [{"text": "é!"}], "STOP", says.usage(body, 2))
    tokens = [{"token": t, "tokenId": n, "logProbability": math.log(0.5)}
              for n, t in enumerate("é!")]  # fmt: skip
    said["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": tokens,
        "topCandidates": [{"candidates": [token, token | {"token": "x"}]} for token in tokens],
    }
    if not body["stream"]:
        exchange.whole(200, encode(said))
        return
    exchange.begin(SSE)
    exchange.send(event(encode(said)))
    exchange.end()


@behaves(r"status-(\d+)")
async def status(body: dict[str, Any], exchange: Exchange, request: Request, code: str) -> None:
    refuse(exchange, int(code), f"scripted {code}")


@behaves(r"unknown")
async def unknown(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    refuse(exchange, 404, f"models/{body['model']} is not found for API version v1beta")


@behaves(r"quota")
async def quota(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
    refuse(exchange, 429, "You exceeded your current quota", details=[info])


@behaves(r"bad-key")
async def bad_key(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """The API answers a wrong key with 400."""
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    refuse(exchange, 400, "API key not valid. Please pass a valid API key.", details=[info])


@behaves(r"error-list")
async def error_list(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """An error in a list, as streams that fail before they begin have it."""
    exchange.whole(200, encode([says.error(503, "The model is overloaded.")]))


@behaves(r"error-event(?:-after-(\d+))?")
async def error_event(
    body: dict[str, Any], exchange: Exchange, request: Request, n: str | None
) -> None:
    await _begin(body, exchange, int(n or 0))
    exchange.send(event(encode(says.error(503, "The model is overloaded."))))
    exchange.end()


async def _begin(body: dict[str, Any], exchange: Exchange, n: int) -> None:
    exchange.begin(SSE)
    for part in says.texts(body)[:n]:
        exchange.send(event(encode(says.response(body, [part], None, says.usage(body, 1)))))
    await exchange.flushed()


@behaves(r"cut-after-(\d+)")
async def cut(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    exchange.cut()


@behaves(r"end-after-(\d+)")
async def end(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    exchange.end()


@behaves(r"stall-after-(\d+)")
async def stall(body: dict[str, Any], exchange: Exchange, request: Request, n: str) -> None:
    await _begin(body, exchange, int(n))
    await asyncio.sleep(FOREVER_S)


@behaves(r"malformed-event")
async def malformed(body: dict[str, Any], exchange: Exchange, request: Request) -> None:
    """One event between the others is garbage."""
    texts = [
        event(encode(says.response(body, [p], None, says.usage(body, 1)))) for p in says.texts(body)
    ]
    last = event(encode(says.response(body, [{"text": ""}], "STOP", says.usage(body, 2))))
    exchange.begin(SSE)
    exchange.send(b"".join([*texts[:1], b"data: {]\n\n", *texts[1:], last]))
    exchange.end()
