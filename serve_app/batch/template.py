"""From a row to the messages of a request: a template over columns, or a column of messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from string import Formatter
from typing import Any, Final

import msgspec

from serve_app.batch.failure import USAGE, BatchFailed

Row = Mapping[str, Any]

_SYNTAX: Final = frozenset(".[]!:")


class BadRow(ValueError):
    """A row that no request can be made of; the message says why, without its content."""


class Template:
    """Text with `{column}` in it; `{{` and `}}` are braces.

    Only plain names are taken: no attributes, indexes, conversions or formats, so that a template
    reaches nothing but the row.
    """

    def __init__(self, text: str) -> None:
        """Raises:
        BatchFailed: not such a template.
        """
        self._pieces = _pieces(text)
        self.columns = tuple(dict.fromkeys(name for _, name in self._pieces if name is not None))

    def check(self, columns: Collection[str], option: str) -> None:
        """Raises:
        BatchFailed: it names a column that the input does not have.
        """
        for name in self.columns:
            if name not in columns:
                known = ", ".join(sorted(columns))
                raise BatchFailed(f"{option}: there is no column {name!r}; known: {known}", USAGE)

    def fill(self, row: Row) -> str:
        """Raises:
        BadRow: the row has no value for a column.
        """
        return "".join(
            text + (_as_text(row, name) if name is not None else "") for text, name in self._pieces
        )


def _pieces(template: str) -> list[tuple[str, str | None]]:
    """Text and the column after it, None at the end."""
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise BatchFailed(
            f"The template cannot be read: {error}; write {{{{ and }}}} for braces", USAGE
        ) from None
    pieces: list[tuple[str, str | None]] = []
    for text, name, form, conversion in parsed:
        if name is not None and (not name or form or conversion or _SYNTAX & set(name)):
            raise BatchFailed(
                f"The template may only hold names of columns like {{text}}, not "
                f"{{{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}}}; "
                "write {{ and }} for braces",
                USAGE,
            )
        pieces.append((text, name))
    return pieces


def _as_text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        raise BadRow(f"column {name!r} is {'null' if name in row else 'missing'}")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class Prompter:
    """Makes the messages of a row.

    Args:
        prompt: the user's message; or
        messages_column: a column that holds the messages, as a list or as JSON.
        system: a message before them.
    """

    def __init__(self, prompt: str | None, messages_column: str | None, system: str | None) -> None:
        if prompt is not None and messages_column is not None:
            raise BatchFailed("Give either --prompt or --messages-column", USAGE)
        self._prompt = None if prompt is None else Template(prompt)
        self._column = messages_column
        self._system = None if system is None else Template(system)

    @classmethod
    def fitting(
        cls,
        prompt: str | None,
        messages_column: str | None,
        system: str | None,
        columns: Collection[str],
    ) -> Prompter:
        """For an input with these columns; a column `messages` or `prompt` is taken unasked.

        Raises:
            BatchFailed: the columns do not fit.
        """
        if prompt is None and messages_column is None:
            if "messages" in columns:
                messages_column = "messages"
            elif "prompt" in columns:
                prompt = "{prompt}"
            else:
                raise BatchFailed(
                    "Say what to ask: --prompt 'Summarise: {column}' or --messages-column; the "
                    f"input has the columns {', '.join(sorted(columns))}",
                    USAGE,
                )
        made = cls(prompt, messages_column, system)
        made._check(columns)
        return made

    def _check(self, columns: Collection[str]) -> None:
        if self._prompt is not None:
            self._prompt.check(columns, "--prompt")
        if self._system is not None:
            self._system.check(columns, "--system")
        if self._column is not None and self._column not in columns:
            known = ", ".join(sorted(columns))
            raise BatchFailed(
                f"--messages-column: there is no column {self._column!r}; known: {known}", USAGE
            )

    def messages(self, row: Row) -> bytes:
        """The messages as JSON.

        Raises:
            BadRow: the row does not have what is needed.
        """
        messages: list[Any] = []
        if self._system is not None:
            messages.append({"role": "system", "content": self._system.fill(row)})
        if self._prompt is not None:
            messages.append({"role": "user", "content": self._prompt.fill(row)})
        elif self._column is not None:
            messages += _messages_in(row.get(self._column), self._column)
        return msgspec.json.encode(messages)


def _messages_in(value: object, column: str) -> Sequence[Any]:
    if isinstance(value, str | bytes):
        try:
            value = msgspec.json.decode(value)
        except msgspec.DecodeError:
            raise BadRow(f"column {column!r} is not JSON") from None
    if not isinstance(value, list) or not value:
        raise BadRow(f"column {column!r} holds no list of messages")
    for message in value:
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise BadRow(f"column {column!r} holds something that is no message")
    return value
