"""What the scripted provider says in Gemini's shapes: responses, whole or one event at a time."""

from __future__ import annotations

from itertools import count
from typing import Any

from answers import pieces_of
from gemini_rules import signature_of

CITIES = ("Paris", "Oslo")
_numbers = count(1)

THOUGHTS = ("**Thinking** ", "about 世界")
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}


def question(body: dict[str, Any]) -> str:
    for content in reversed(body["contents"]):
        texts = [part["text"] for part in content["parts"] if "text" in part]
        if content["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def results(body: dict[str, Any]) -> list[str]:
    found = [p["functionResponse"] for p in body["contents"][-1]["parts"]
             if "functionResponse" in p]  # fmt: skip
    return [f"{r['name']}={next(iter(r['response'].values()))}" for r in found]


def answer(body: dict[str, Any]) -> str:
    if said := results(body):
        return f"The tools said: {' / '.join(said)}"
    return f"You said: {question(body)}"


def call(body: dict[str, Any], number: int, **arguments: str) -> dict[str, Any]:
    """Only the first of parallel calls is signed."""
    names = [d["name"] for tool in body["tools"] for d in tool["functionDeclarations"]]
    name = names[number % len(names)]
    part: dict[str, Any] = {"functionCall": {"name": name, "args": arguments}}
    if number == 0:
        part["thoughtSignature"] = signature_of(name)
    return part


def usage(body: dict[str, Any], tokens: int, thoughts: int = 0, cached: int = 0) -> dict[str, int]:
    prompt = len(question(body).split()) + cached
    counts = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": tokens,
        "totalTokenCount": prompt + tokens + thoughts,
    }
    if thoughts:
        counts["thoughtsTokenCount"] = thoughts
    if cached:
        counts["cachedContentTokenCount"] = cached
    return counts


def response(
    body: dict[str, Any], parts: list[dict[str, Any]], finish: str | None, counts: dict[str, int]
) -> dict[str, Any]:
    """A response with as many candidates as were asked for, or one event of it."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}}
    if finish is not None:
        candidate["finishReason"] = finish
    count = body.get("generationConfig", {}).get("candidateCount", 1)
    candidates = [candidate | ({"index": index} if index else {}) for index in range(count)]
    return {
        "candidates": candidates,
        "usageMetadata": counts,
        "modelVersion": body["model"],
        "responseId": body.setdefault("responseId", f"resp-{next(_numbers)}"),
    }


def merged(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Texts of one kind that follow each other as one part, as a whole reply has them."""
    merged: list[dict[str, Any]] = []
    for part in parts:
        if merged and merged[-1].keys() == part.keys() and "text" in part:
            merged[-1] = merged[-1] | {"text": merged[-1]["text"] + part["text"]}
        else:
            merged.append(part)
    return merged


def texts(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"text": piece} for piece in pieces_of(answer(body))]


def error(status: int, what: str, **more: Any) -> dict[str, Any]:
    named = _STATUS.get(status, "UNKNOWN")
    return {"error": {"code": status, "message": what, "status": named, **more}}
