"""Long messages cut short: their beginning and their end, with a mark between."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from serve_app.core.types import ContentPart, Message

_HEAD_SHARE: Final = 0.7
"""Of what is left of a text; people say what they want first, and what came of it last."""
_MARK_CHARS: Final = 48
"""A mark is at most so long; it must not cost more than it saves."""


def cut(message: Message, most_chars: int) -> Message:
    """The message with no text of more than `most_chars`; itself if there is none. Tool calls stay
    as they are: half an argument is none. So do instructions."""
    if message.role in ("system", "developer"):
        return message
    content = message.content
    if isinstance(content, str):
        short = cut_text(content, most_chars)
        return message if short is content else replace(message, content=short)
    if not content or all(len(part.text or "") <= most_chars for part in content):
        return message
    return replace(message, content=[_cut_part(part, most_chars) for part in content])


def cut_text(text: str, most_chars: int) -> str:
    """The text, or its beginning and its end with a mark that says how much is missing."""
    left_out = len(text) - most_chars
    if left_out <= _MARK_CHARS:
        return text
    head = round(most_chars * _HEAD_SHARE)
    tail = text[len(text) - (most_chars - head) :]
    return f"{text[:head]}\n[... {left_out:,} characters left out ...]\n{tail}"


def _cut_part(part: ContentPart, most_chars: int) -> ContentPart:
    return part if part.text is None else replace(part, text=cut_text(part.text, most_chars))
