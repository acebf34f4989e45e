"""What an MCP server says, as the loop understands it."""

from __future__ import annotations

import msgspec
from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    Tool,
)

from serve_app.core.tools import ToolSpec
from serve_app.tools.base import ToolOutcome, within

MAX_TOOL_BYTES = 64 * 1024
"""Of one tool's description and schema; a longer one is left out."""


def spec_of(tool: Tool) -> ToolSpec | None:
    """A tool as it lists it; None: it is too long to be offered."""
    spec = ToolSpec(
        tool.name,
        tool.description or tool.title or "",
        tool.input_schema,
        read_only=tool.annotations is not None and tool.annotations.read_only_hint is True,
    )
    return spec if len(msgspec.json.encode(spec)) <= MAX_TOOL_BYTES else None


def outcome_of(result: CallToolResult, max_chars: int) -> ToolOutcome:
    """A result as text. What is no text is named, with its size; a structured result is told as
    JSON where there is no text beside it."""
    text = "\n".join(_text(block) for block in result.content)
    if not text and result.structured_content is not None:
        text = msgspec.json.encode(result.structured_content).decode()
    return within(text, max_chars, "failed" if result.is_error else "")


def _text(
    block: TextContent | ImageContent | AudioContent | ResourceLink | EmbeddedResource,
) -> str:
    match block:
        case TextContent():
            return block.text
        case ImageContent() | AudioContent():
            return f"[{block.mime_type}, {len(block.data) * 3 // 4} bytes, not shown]"
        case ResourceLink():
            return f"[{block.name}: {block.uri}]"
        case EmbeddedResource(resource=TextResourceContents() as told):
            return told.text
        case EmbeddedResource():
            return f"[{block.resource.uri}, not shown]"
