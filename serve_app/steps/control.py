"""What a caller's headers say about the cache: `Cache-Control` (RFC 9111) and tags."""

from __future__ import annotations

from serve_app.core.errors import BadRequest
from serve_app.core.kept import MAX_TAG_CHARS, MAX_TAGS
from serve_app.passage import Control

_PLAIN = Control()


def control_of(cache_control: str | None, tags: str | None) -> Control:
    """The wishes of a request.

    Args:
        cache_control: `no-cache`: not from the cache; `no-store`: nor into it; `max-age=SECONDS`:
            nothing older; `only-if-cached`: from the cache or not at all. Others say nothing to us.
        tags: `x-serve-app-cache-tags`, names with commas between them.

    Raises:
        BadRequest: `max-age` is no number of seconds, or a tag is too long.
    """
    if cache_control is None and tags is None:
        return _PLAIN
    wishes = dict(_directives(cache_control or ""))
    max_age_s = _seconds(wishes["max-age"]) if "max-age" in wishes else None
    no_store = "no-store" in wishes
    only = "only-if-cached" in wishes
    return Control(
        read=not (no_store or "no-cache" in wishes or (max_age_s == 0 and not only)),
        write=not no_store,
        max_age_s=max_age_s,
        only_if_cached=only,
        tags=_tags(tags or ""),
    )


def _directives(text: str) -> list[tuple[str, str]]:
    parts = [part.strip().lower().partition("=") for part in text.split(",")]
    return [(name.strip(), value.strip().strip('"')) for name, _, value in parts]


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequest("max-age must be a whole number of seconds", param="cache-control")
    return int(text)


def _tags(text: str) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG_CHARS for tag in tags):
        raise BadRequest(
            f"at most {MAX_TAGS} tags of at most {MAX_TAG_CHARS} characters",
            param="x-serve-app-cache-tags",
        )
    return tags
