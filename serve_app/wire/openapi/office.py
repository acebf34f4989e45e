"""The routes about a caller's own use, and those of the cache and of keys."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.keys import MAX_PAGE
from serve_app.wire.openapi.parts import desk_replies, operation, path, query, replies
from serve_app.wire.pantry import MAX_TOP
from serve_app.wire.usage import MAX_DAYS

Json = dict[str, Any]

_ID: Final = path("id", pattern="^[0-9a-f]{12}$")
_TENANT: Final = query("tenant", "Another's than the caller's is for admins.")


def office_paths() -> Json:
    """By path, then by method."""
    return {
        "/v1/usage": {
            "get": operation(
                "getUsage",
                "What the caller used, what it cost, what is left of limits and budgets; with "
                "`tenant` the figures of a whole tenant, for admins.",
                desk_replies("OwnUsage", "TenantUsage"),
                parameters=[
                    query("days", "So many, today included.",
                          type="integer", minimum=1, maximum=MAX_DAYS, default=1),
                    _TENANT,
                ],
            )
        },
        **_cache_paths(),
        **_key_paths(),
    }  # fmt: skip


def _cache_paths() -> Json:
    top = query("limit", "So many.", type="integer", minimum=1, maximum=MAX_TOP, default=20)
    return {
        "/v1/cache": {"delete": operation(
            "purgeCache",
            "Forget answers that match every term; at least one is needed.",
            desk_replies("Purged"),
            parameters=[
                _TENANT,
                query("model", "Of this model."),
                query("tag", "With this tag."),
                query("fingerprint", "This one.", pattern="^[0-9a-f]{64}$"),
                query("all", "Every tenant's, for admins.", enum=["true", "false"]),
            ],
        )},
        "/v1/cache/top": {"get": operation(
            "listTopQuestions", "The questions asked most.", desk_replies("HotList"),
            parameters=[_TENANT, top],
        )},
        "/v1/cache/warm": {"post": operation(
            "warmCache",
            "Keep an answer until it is purged; without one in the body it is asked for.",
            replies("Warmed"), body="WarmBody",
        )},
    }  # fmt: skip


def _key_paths() -> Json:
    shown, made = desk_replies("Key"), desk_replies("NewKey")
    listing = [
        _TENANT,
        query("after", "The `next` of the page before."),
        query("limit", "So many.", type="integer", minimum=1, maximum=MAX_PAGE, default=100),
    ]
    one = "/v1/keys/{id}"
    return {
        "/v1/keys": {
            "get": operation("listKeys", "Newest first.", desk_replies("KeyList"),
                             parameters=listing),
            "post": operation("createKey", "The key is shown this once.", made, body="TermsBody"),
        },
        one: {
            "parameters": [_ID],
            "get": operation("getKey", "One key's record.", shown),
            "patch": operation("changeKey", "What is not said stays.", shown, body="ChangeBody"),
            "delete": operation("forgetKey", "It is refused from now on.", shown),
        },
        f"{one}/rotate": {
            "parameters": [_ID],
            "post": operation("rotateKey", "A new key in place of this one.", made,
                              body="RotationBody", body_required=False),
        },
        f"{one}/disable": {
            "parameters": [_ID],
            "post": operation("disableKey", "It is refused until it is enabled.", shown),
        },
        f"{one}/enable": {
            "parameters": [_ID],
            "post": operation("enableKey", "It is taken again.", shown),
        },
    }  # fmt: skip
