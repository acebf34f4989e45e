"""A scripted OpenAI-compatible provider in its own process.

    python tests/provider/server.py --port 0      prints the port it listens on

`POST /v1/chat/completions` and `POST /v1/embeddings` behave as the model's name says
(`behaviours.py`), or as a script says that was set for the model; `POST /v1/messages` is
Anthropic's side, `POST /v1beta/models/{model}:{method}` Gemini's, and `POST /v1/moderations`
OpenAI's of that name (`sides.py`):

    POST /_script {"model": "flaky", "steps": ["status-500", "ok"]}   the last step stays
    GET  /_log?model=flaky                                            requests seen
    GET  /_wait?model=flaky&event=aborted&count=1&timeout_s=10        until it happened
    GET  /_open                                                       what is not ended yet
    POST /_reset                                                      forget scripts and log
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

from answers import encode, error
from connection import Connection, Exchange, Request
from keyed import key_of
from log import Entry, Log
from sides import Side, side_of

_LOGGED_HEADERS = (
    "accept", "content-type", "user-agent", "x-request-id", "accept-encoding", "traceparent",
    "tracestate",
)  # fmt: skip


class Provider:
    """Scripts, the log, and the routes."""

    def __init__(self) -> None:
        self._log = Log()
        self._scripts: dict[str, list[str]] = {}
        self._open: set[int] = set()

    async def handle(self, request: Request, exchange: Exchange) -> None:
        url = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        match request.method, url.path:
            case "POST", path if (side := side_of(path)) is not None:
                await self._answer(request, exchange, side)
            case "GET", "/v1/models":
                exchange.whole(200, encode({"object": "list", "data": []}))
            case "POST", "/_script":
                script = request.json()
                self._scripts[script["model"]] = list(script["steps"])
                exchange.whole(200, b"{}")
            case "GET", "/_log":
                exchange.whole(200, encode(self._log.of(query.get("model"))))
            case "GET", "/_wait":
                exchange.whole(200, encode({"happened": await self._wait(query)}))
            case "GET", "/_open":
                open_ = {"connections": len(self._open), "requests": self._log.unended()}
                exchange.whole(200, encode(open_))
            case "POST", "/_reset":
                self._scripts.clear()
                self._log.clear()
                exchange.whole(200, b"{}")
            case _:
                exchange.whole(404, error(f"no route {request.path}", "invalid_request_error"))

    async def _wait(self, query: dict[str, str]) -> bool:
        count, timeout_s = int(query.get("count", "1")), float(query.get("timeout_s", "10"))
        return await self._log.wait(query["model"], query["event"], count, timeout_s)

    def left(self, connection: int) -> None:
        """A connection is gone."""
        self._open.discard(connection)

    async def _answer(self, request: Request, exchange: Exchange, side: Side) -> None:
        try:
            body = request.json()
            model = side.model(request.path, body)
            behaviour = self._next_step(model)
        except (ValueError, KeyError, TypeError):
            exchange.whole(400, error("no JSON with a model", "invalid_request_error"))
            return
        entry = Entry(
            model=model,
            behaviour=behaviour,
            stream=side.streams(request.path, body),
            has_authorization="authorization" in request.headers,
            headers={n: request.headers[n] for n in _LOGGED_HEADERS if n in request.headers},
            body=body,
            path=request.path,
            key=key_of(request),
            connection=request.connection,
        )
        self._open.add(request.connection)
        number, since_s = self._log.add(entry)
        try:
            await side.act(behaviour, replace(request, number=number, since_s=since_s), exchange)
            entry.done_at = time.time()
        except asyncio.CancelledError:
            entry.aborted_at = time.time()
            raise
        finally:
            self._log.changed()

    def _next_step(self, model: str) -> str:
        steps = self._scripts.get(model)
        if not steps:
            return model
        return steps.pop(0) if len(steps) > 1 else steps[0]


async def serve(port: int) -> None:
    provider = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(provider.handle, provider.left), "127.0.0.1", port, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    asyncio.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
