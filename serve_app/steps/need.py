"""What a request asks of admission: its route, its model, and how much it may use."""

from __future__ import annotations

from serve_app.admission.need import Asking
from serve_app.core.types import ChatRequest
from serve_app.passage import Passage
from serve_app.routing.estimate import estimate_messages
from serve_app.wire import openai

_BYTES_PER_TOKEN = 4
"""Of JSON schemas, as in `routing/estimate.py`."""
_IMAGE_TOKENS = 1000
"""About what an image costs: 170 for each 512 pixels squared at OpenAI's; a large one 1,500."""


def asking(way: Passage) -> Asking:
    """What a request asks for. The history of a session is not known yet; it is charged when the
    request is settled."""
    request = way.request
    quote = way.rules.quotes.of(request.params.model)
    return Asking(
        path=way.ask.path,
        model=quote.name,
        prompt_tokens=_prompt_tokens(request),
        answer_tokens=0 if request.endpoint == "embeddings" else request.max_output_tokens,
        answers=max(1, request.params.n or 1),
        cost=quote.batch_cost if way.ask.priority == "batch" else quote.cost,
        counted=quote.counted,
        once=way.ask.once,
        tenant=way.ask.tenant,
    )


def _prompt_tokens(request: ChatRequest) -> int:
    tokens = estimate_messages(openai.texts_of(request, "").texts)
    if (tools := request.fields.get("tools")) is not None:
        tokens += len(bytes(tools)) // _BYTES_PER_TOKEN
    return tokens + _IMAGE_TOKENS * _images(request)


def _images(request: ChatRequest) -> int:
    return sum(
        part.type == "image_url"
        for message in request.params.messages
        if isinstance(message.content, list)
        for part in message.content
    )
