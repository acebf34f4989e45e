"""The APIs that ask a model, by the path that each is at: for HTTP, and for work done later."""

from __future__ import annotations

from collections.abc import Callable

from serve_app.wire.agent import Agent
from serve_app.wire.anthropic.shape import Messages
from serve_app.wire.chat import Chat
from serve_app.wire.completions import Completions
from serve_app.wire.embeddings import Embeddings
from serve_app.wire.responses.shape import Responses
from serve_app.wire.shape import Shape

RESPONSES = "/v1/responses"


def shapes() -> dict[str, Shape]:
    """By path: those of which one serves all requests, because they hold nothing of any."""
    return {
        "/v1/chat/completions": Chat(),
        "/v1/messages": Messages(),
        "/v1/completions": Completions(),
        "/v1/embeddings": Embeddings(),
        "/agent/chat": Agent(),
    }


class Shapes:
    """The shape for one request.

    Args:
        now: Unix seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._shared = shapes()

    @property
    def paths(self) -> list[str]:
        return [*self._shared, RESPONSES]

    def at(self, path: str) -> Shape | None:
        """None: no model is asked at this path."""
        return Responses(self._now) if path == RESPONSES else self._shared.get(path)
