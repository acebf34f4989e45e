"""OpenAI's embeddings: texts in, the backend's vectors out as they came."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from serve_app.core.errors import BadRequest
from serve_app.core.types import ChatParams, ChatRequest, Message
from serve_app.wire.chat import Chat
from serve_app.wire.checks import check_model, check_utf8, no_json, wrong_field

MAX_INPUTS = 2048
MAX_DIMENSIONS = 65_536
"""Far above every model's, and nothing that an answer could not hold."""


class EmbeddingsRequest(Struct, frozen=True):
    model: str
    input: str | list[Any]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = None
    user: str | None = None
    stream: bool | None = None


_fields = msgspec.json.Decoder(dict[str, Raw])
_request = msgspec.json.Decoder(EmbeddingsRequest)


class Embeddings(Chat):
    """`POST /v1/embeddings`: never streamed, so a whole reply is all there is."""

    def decode(self, body: bytes) -> ChatRequest:
        check_utf8(body)
        try:
            fields, asked = _fields.decode(body), _request.decode(body)
        except msgspec.ValidationError as error:
            raise wrong_field(error) from None
        except (msgspec.DecodeError, RecursionError) as error:
            raise no_json(error) from None
        check_model(asked.model)
        if "messages" in fields:  # as a chat request the same fields would mean something else
            raise BadRequest("Embeddings are of 'input', not of messages", param="messages")
        if asked.stream:
            raise BadRequest("Embeddings are not streamed", param="stream")
        if asked.dimensions is not None and not 1 <= asked.dimensions <= MAX_DIMENSIONS:
            raise BadRequest(
                f"dimensions is {asked.dimensions}; 1 to {MAX_DIMENSIONS}", param="dimensions"
            )
        messages = [Message(role="user", content=text) for text in _texts(asked.input)]
        params = ChatParams(model=asked.model, messages=messages, user=asked.user)
        return ChatRequest(fields, params, endpoint="embeddings")


def _texts(given: str | list[Any]) -> list[str]:
    """The texts to embed.

    Raises:
        BadRequest: none, too many, an empty one, or tokens in place of texts.
    """
    texts = [given] if isinstance(given, str) else given
    if not 1 <= len(texts) <= MAX_INPUTS:
        raise BadRequest(f"input has {len(texts)} texts; 1 to {MAX_INPUTS}", param="input")
    for at, text in enumerate(texts):
        path = "input" if isinstance(given, str) else f"input[{at}]"
        if isinstance(text, int | list):
            raise BadRequest(
                f"{path} holds token numbers; send text, because input rules cannot read tokens",
                param="input",
            )
        if not isinstance(text, str):
            raise BadRequest(f"{path} is no text", param=path)
        if not text:
            raise BadRequest(f"{path} is empty", param=path)
    return texts
