"""The dry run's request: a chat request, or with `"endpoint": "embeddings"` one for embeddings."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from serve_app.core.types import ChatRequest, Endpoint
from serve_app.wire import openai
from serve_app.wire.checks import check_utf8, no_json, wrong_field
from serve_app.wire.embeddings import Embeddings


class Kind(Struct, frozen=True):
    endpoint: Endpoint = "chat"


_kind = msgspec.json.Decoder(Kind)


def decode(body: bytes) -> ChatRequest:
    """Check the body of `POST /v1/route`.

    Raises:
        BadRequest: `param` is the path of the field at fault.
    """
    check_utf8(body)
    try:
        endpoint = _kind.decode(body).endpoint
    except msgspec.ValidationError as error:
        raise wrong_field(error) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise no_json(error) from None
    request = Embeddings().decode(body) if endpoint == "embeddings" else openai.decode(body)
    fields = {name: raw for name, raw in request.fields.items() if name != "endpoint"}
    return replace(request, fields=fields)
