"""What a response repeats of its request, and says of itself besides its output."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from serve_app.wire.responses.fields import ResponsesRequest
from serve_app.wire.responses.ids import new_response_id
from serve_app.wire.responses.request import Asked

Json = dict[str, Any]

_AS_THEY_ARE = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "temperature",
    "top_p",
    "user",
)
_plain = msgspec.to_builtins


class Terms(Struct):
    """One response's, for as long as it is made."""

    id: str
    created_at: int
    """Unix seconds."""
    request: ResponsesRequest
    conversation_id: str | None = None
    is_stored: bool = True
    """Whether it can be fetched and continued later; false once that failed."""

    def head(self, status: str, model: str) -> Json:
        """A response object without its output."""
        request = self.request
        made: Json = {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": [],
            "usage": None,
        }
        for name in _AS_THEY_ARE:
            made[name] = getattr(request, name)
        return made | {
            "background": bool(request.background),
            "conversation": self._conversation(),
            "metadata": request.metadata or {},
            "parallel_tool_calls": request.parallel_tool_calls is not False,
            "reasoning": self._reasoning(),
            "store": self.is_stored,
            "text": self._text(),
            "tool_choice": request.tool_choice or "auto",
            "tools": [_shown(tool) for tool in request.tools or ()],
            "top_logprobs": request.top_logprobs or 0,
            "truncation": request.truncation or "disabled",
        }

    def _conversation(self) -> Json | None:
        return None if self.conversation_id is None else {"id": self.conversation_id}

    def _reasoning(self) -> Json:
        asked = self.request.reasoning
        if asked is None:
            return {"effort": None, "summary": None}
        return {"effort": asked.effort, "summary": asked.summary or asked.generate_summary}

    def _text(self) -> Json:
        text = self.request.text
        made: Json = {"format": {"type": "text"}}
        if text is not None and text.format is not None:
            wanted = _plain(text.format)
            made["format"] = {name: value for name, value in wanted.items() if value is not None}
        if text is not None and text.verbosity is not None:
            made["verbosity"] = text.verbosity
        return made


def terms_of(asked: Asked, now: float, response_id: str = "") -> Terms:
    """Those of a response that is asked for now (Unix seconds), under a new id if it has none."""
    fields = asked.fields
    return Terms(
        id=response_id or new_response_id(),
        created_at=int(now),
        request=fields,
        conversation_id=fields.conversation_id,
        is_stored=fields.is_stored,
    )


def _shown(tool: Json) -> Json:
    """A tool without what lets others use its server."""
    return {name: value for name, value in tool.items() if name not in _SECRET}


_SECRET = frozenset({"authorization", "headers"})
