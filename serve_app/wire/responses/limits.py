"""What makes a request for a response impossible, whoever is to answer it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from serve_app.core.errors import BadRequest
from serve_app.wire.checks import check_model
from serve_app.wire.responses.fields import ResponsesRequest

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "max_output_tokens": (1, math.inf),
    "max_tool_calls": (1, math.inf),
    "temperature": (0, 2),
    "top_p": (0, 1),
    "top_logprobs": (0, 20),
}
"""Numbers of a request, from and to."""

MAX_METADATA: Final = 16
MAX_METADATA_KEY: Final = 64
MAX_METADATA_VALUE: Final = 512

MAX_DEPTH: Final = 100
"""Of values in one another. They are encoded again, deeper inside and with more on the stack: what
could just be read then could not be written."""

INCLUDABLE: Final = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
"""What `include` may name. What belongs to tools that do not run here is never there."""


def check(request: ResponsesRequest) -> None:
    """Refuse what cannot be done.

    Raises:
        BadRequest: `param` is the field at fault.
    """
    check_model(request.model)
    for name, (least, most) in BOUNDS.items():
        value = getattr(request, name)
        if value is not None and not least <= value <= most:
            allowed = f"at least {least:g}" if most == math.inf else f"{least:g} to {most:g}"
            raise BadRequest(f"{name} is {value}; {allowed}", param=name)
    for at, name in enumerate(request.include or ()):
        if name not in INCLUDABLE:
            raise BadRequest(
                f"include[{at}] is {name[:60]!r}; one of {', '.join(sorted(INCLUDABLE))}",
                param=f"include[{at}]",
            )
    check_metadata(request.metadata)
    _check_depth(request)
    _check_state(request)
    if request.prompt is not None:
        raise BadRequest("There are no stored prompts here: send the text", param="prompt")
    if request.moderation is not None:
        raise BadRequest(
            "moderation is a matter of the gateway's filter policy", param="moderation"
        )


def check_metadata(metadata: dict[str, str] | None) -> None:
    """OpenAI's limits.

    Raises:
        BadRequest: there is too much, or a text is too long.
    """
    if metadata is None:
        return
    if len(metadata) > MAX_METADATA:
        raise BadRequest(
            f"metadata has {len(metadata)} pairs; at most {MAX_METADATA}", param="metadata"
        )
    for key, value in metadata.items():
        if len(key) > MAX_METADATA_KEY or len(value) > MAX_METADATA_VALUE:
            raise BadRequest(
                f"metadata: a key has at most {MAX_METADATA_KEY} characters, a value "
                f"{MAX_METADATA_VALUE}",
                param="metadata",
            )


def _check_depth(request: ResponsesRequest) -> None:
    wanted = None if request.text is None else request.text.format
    values = {
        "input": request.input,
        "tools": request.tools,
        "tool_choice": request.tool_choice,
        "text.format.schema": None if wanted is None else wanted.schema,
    }
    for name, value in values.items():
        check_depth(value, name)


def check_depth(value: Any, param: str) -> None:
    """
    Raises:
        BadRequest: values lie in one another too deep.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inner(one)]
        if not level:
            return
    raise BadRequest(f"{param} is nested deeper than {MAX_DEPTH} levels", param=param)


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_state(request: ResponsesRequest) -> None:
    """What it continues, and what becomes of it."""
    previous, conversation = request.previous_response_id, request.conversation_id
    if previous is not None and conversation is not None:
        raise BadRequest(
            "previous_response_id and conversation exclude each other",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if request.background and not request.is_stored:
        raise BadRequest("background needs store: true, or nobody could fetch it", param="store")
    if request.stream_options is not None and not request.stream:
        raise BadRequest("stream_options go with stream: true", param="stream_options")
