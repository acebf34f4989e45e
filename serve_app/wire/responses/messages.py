"""Items as chat messages.

One answer of a model may be several items (reasoning, a text, calls); in chat completions it is
one message. What that dialect has no words for is kept under the names that backends of other
dialects put back (`reasoning_details`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serve_app.core.errors import BadRequest
from serve_app.wire.responses.items import (
    CallItem,
    InputFile,
    InputImage,
    InputText,
    Item,
    ListingItem,
    MessageItem,
    Part,
    RanItem,
    ReasoningItem,
    Reference,
    Refusal,
    ResultItem,
)
from serve_app.wire.responses.sealed import opened

Json = dict[str, Any]

_SEE_BELOW = "The result is what follows."


def messages_of(items: Sequence[Item], path: str = "input") -> list[Json]:
    """The messages that items amount to.

    Raises:
        BadRequest: a part stands where it cannot, or cannot be passed on.
    """
    made = _Messages()
    for at, item in enumerate(items):
        made.add(item, f"{path}[{at}]")
    return made.finished()


class _Messages:
    """Messages while they are put together."""

    def __init__(self) -> None:
        self._done: list[Json] = []
        self._answer: Json | None = None
        """The model's message that is not over."""
        self._shown: list[Json] = []
        """Parts of results that only a user's message can hold."""

    def add(self, item: Item, path: str) -> None:
        match item:
            case MessageItem(role="assistant"):
                self._said(item, path)
            case MessageItem():
                self._close()
                self._done.append({"role": item.role, "content": _content(item, path)})
            case CallItem():
                self._open().setdefault("tool_calls", []).append(_call(item))
            case ResultItem():
                self._close_answer()
                self._result(item, path)
            case ReasoningItem():
                self._thought(item)
            case RanItem():
                self._ran(item, path)
            case ListingItem():
                pass
            case Reference():
                raise BadRequest(
                    f"{path}.id names no item that is stored", param=f"{path}.id", code="not_found"
                )

    def finished(self) -> list[Json]:
        self._close()
        return self._done

    def _open(self) -> Json:
        if self._answer is None:
            self._show()
            self._answer = {"role": "assistant", "content": None}
        return self._answer

    def _close(self) -> None:
        self._close_answer()
        self._show()

    def _close_answer(self) -> None:
        if (answer := self._answer) is not None:
            self._answer = None
            if answer["content"] is None and "tool_calls" not in answer:
                answer["content"] = ""
            self._done.append(answer)

    def _show(self) -> None:
        if self._shown:
            self._done.append({"role": "user", "content": self._shown})
            self._shown = []

    def _said(self, item: MessageItem, path: str) -> None:
        text = _text(item, path)
        answer = self._open()
        if answer["content"] is not None and "tool_calls" not in answer:
            self._close_answer()
            answer = self._open()
        before = answer["content"]
        answer["content"] = text if before is None else f"{before}\n\n{text}"

    def _thought(self, item: ReasoningItem) -> None:
        answer = self._open()
        if answer["content"] is not None or "tool_calls" in answer:  # a new answer begins with it
            self._close_answer()
            answer = self._open()
        parts = item.content or item.summary
        if text := "".join(part.text for part in parts):
            answer["reasoning_content"] = answer.get("reasoning_content", "") + text
        if details := opened(item.encrypted_content):
            answer.setdefault("reasoning_details", []).extend(details)

    def _ran(self, item: RanItem, path: str) -> None:
        """A call and its result. It has no id that a model knew; one of its place will do."""
        call_id = item.id or f"call_ran_{len(self._done)}"
        self.add(CallItem(call_id, item.name, item.arguments), path)
        output = item.output if item.output is not None else "It failed"
        self.add(ResultItem(call_id, output), path)

    def _result(self, item: ResultItem, path: str) -> None:
        message: Json = {"role": "tool", "tool_call_id": item.call_id}
        if isinstance(item.output, str):
            message["content"] = item.output
        else:
            texts = [part.text for part in item.output if isinstance(part, InputText)]
            others = [
                _part(part, f"{path}.output[{at}]")
                for at, part in enumerate(item.output)
                if not isinstance(part, InputText)
            ]
            message["content"] = "\n".join(texts) or (_SEE_BELOW if others else "")
            if others:
                named = {"type": "text", "text": f"Of the result of {item.call_id}:"}
                self._shown += [named, *others]
        self._done.append(message)


def _call(item: CallItem) -> Json:
    function = {"name": item.name, "arguments": item.arguments}
    return {"id": item.call_id, "type": "function", "function": function}


def _text(item: MessageItem, path: str) -> str:
    """What a model said: only text comes back to it."""
    if isinstance(item.content, str):
        return item.content
    texts: list[str] = []
    for at, part in enumerate(item.content):
        if isinstance(part, InputImage | InputFile):
            where = f"{path}.content[{at}]"
            raise BadRequest(f"{where} is no text, which no assistant says", param=where)
        texts.append(part.refusal if isinstance(part, Refusal) else part.text)
    return "".join(texts)


def _content(item: MessageItem, path: str) -> str | list[Json]:
    """A text, or parts where there is more than one."""
    if isinstance(item.content, str):
        return item.content
    parts = [_part(part, f"{path}.content[{at}]") for at, part in enumerate(item.content)]
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def _part(part: Part, path: str) -> Json:
    match part:
        case InputImage():
            return _image(part, path)
        case InputFile():
            return _file(part, path)
        case Refusal():
            return {"type": "text", "text": part.refusal}
        case _:
            return {"type": "text", "text": part.text}


def _image(part: InputImage, path: str) -> Json:
    if part.image_url is None:
        raise _no_file(path, "image_url", "the image's address, or its data as a data: URL")
    image: Json = {"url": part.image_url}
    if part.detail is not None:
        image["detail"] = "high" if part.detail == "original" else part.detail
    return {"type": "image_url", "image_url": image}


def _file(part: InputFile, path: str) -> Json:
    if part.file_data is None:
        raise _no_file(path, "file_data", "the file's content as a data: URL")
    file = {"file_data": part.file_data, "filename": part.filename or "file"}
    return {"type": "file", "file": file}


def _no_file(path: str, wanted: str, what: str) -> BadRequest:
    where = f"{path}.{wanted}"
    return BadRequest(f"{where} is missing: send {what}; files are not fetched", param=where)
