"""The routes that ask a model, or would."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.openapi.parts import EVENTS, JSON, any_of, header, operation, replies

Json = dict[str, Any]

_CACHE: Final = header(
    "cache-control",
    "`no-cache`, `no-store`, `max-age=SECONDS` or `only-if-cached`; others say nothing to us.",
)
_TAGS: Final = header(
    "x-serve-app-cache-tags", "Names with commas between them, by which the answer can be purged."
)
_PRIORITY: Final = header(
    "x-serve-app-priority", "Whether somebody waits for it.", enum=["interactive", "batch"]
)
_ID: Final = header("x-request-id", "Your name for the request; a new one if it is no sane one.")
_LANGUAGE: Final = header("accept-language", "For the words said when all is busy.")
_ASKED: Final = [_CACHE, _TAGS, _PRIORITY, _ID]


def work_paths() -> Json:
    """By path, then by method."""
    return {
        "/v1/chat/completions": _post(
            "createChatCompletion",
            "OpenAI's chat completions. Fields that are not named here are passed on.",
            "ChatParams",
            replies("ChatCompletion", streams=True),
        ),
        "/v1/messages": _post(
            "createMessage",
            "Anthropic's messages, answered by any backend.",
            "MessagesRequest",
            replies("AnthropicMessage", streams=True, problem="AnthropicProblem"),
        ),
        "/v1/messages/count_tokens": _post(
            "countTokens",
            "An estimate of the tokens that a message has.",
            "CountRequest",
            replies("Tokens", problem="AnthropicProblem"),
        ),
        "/v1/completions": _post(
            "createCompletion",
            "OpenAI's older completions: each prompt is asked as a user message.",
            "CompletionsRequest",
            replies("Completion", streams=True),
        ),
        "/v1/embeddings": _post(
            "createEmbeddings", "Vectors of texts.", "EmbeddingsRequest", replies("EmbeddingList")
        ),
        "/v1/route": _post(
            "planRequest",
            "What would be done with a request; no backend is asked.",
            "RouteRequest",
            replies("Plan"),
        ),
        "/agent/chat": _post(
            "chatWithAgent",
            "A session and a message in, text out.",
            "AgentRequest",
            _with_excuse(replies("AgentReply", streams=True)),
            _LANGUAGE,
        ),
    }


def _post(name: str, summary: str, body: str, answers: Json, *more: Json) -> Json:
    return {"post": operation(name, summary, answers, body=body, parameters=[*_ASKED, *more])}


def _with_excuse(answers: Json) -> Json:
    """503 may be kind words in the form of an answer, where the policy has them."""
    content = {
        JSON: {"schema": any_of("AgentReply", "Error")},
        EVENTS: {},
    }
    return {**answers, "503": {"description": "All is busy.", "content": content}}
