"""Multipart forms (RFC 7578) as they come: bytes in, fields and pieces of files out.

Nothing of a file is held: what is cut at any byte comes out as it would whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from serve_app.core.errors import BadRequest

if TYPE_CHECKING:  # it exists for type checkers only
    from python_multipart.multipart import MultipartCallbacks

MAX_FIELDS: Final = 32
MAX_FIELD_BYTES: Final = 64 * 1024
"""Of all fields together that are no files."""
_MAX_NAME: Final = 256


class Field(Struct, frozen=True):
    """A field that is no file, whole."""

    name: str
    value: str


class FileBegins(Struct, frozen=True):
    """A file; its pieces follow."""

    name: str
    filename: str


class Piece(Struct, frozen=True):
    """Some bytes of the file that began last."""

    data: bytes


class FileEnds(Struct, frozen=True):
    """The file that began last has come to its end."""


Event = Field | FileBegins | Piece | FileEnds


class Form:
    """Reads one form.

    Args:
        content_type: the header of the request.

    Raises:
        BadRequest: it is no form, or nobody can say where its parts end.
    """

    def __init__(self, content_type: str | None) -> None:
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise BadRequest(
                "The body must be a form: send 'Content-Type: multipart/form-data; boundary=...'",
                code="invalid_content_type",
            )
        self._events: list[Event] = []
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition = ""
        self._name = ""
        self._is_file = False
        self._value = bytearray()
        self._fields = 0
        self._field_bytes = 0
        self._is_over = False
        try:
            self._parser = MultipartParser(options[b"boundary"], self._callbacks())
        except FormParserError as error:
            raise _malformed(error) from None

    def feed(self, data: bytes) -> list[Event]:
        """What some more bytes of the body bring.

        Raises:
            BadRequest: it is no form, or has too many fields.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed(error) from None
        events, self._events = self._events, []
        return events

    def end(self) -> None:
        """The body is over.

        Raises:
            BadRequest: the form is not.
        """
        if not self._is_over:
            raise BadRequest("The form breaks off before its last boundary", code="invalid_form")

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begins,
            "on_header_field": lambda data, start, end: self._header_name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._header_value.extend(data[start:end]),
            "on_header_end": self._header_ends,
            "on_headers_finished": self._headers_end,
            "on_part_data": self._part_data,
            "on_part_end": self._part_ends,
            "on_end": self._form_ends,
        }

    def _part_begins(self) -> None:
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields", code="invalid_form")
        self._disposition = ""
        self._value.clear()

    def _header_ends(self) -> None:
        if bytes(self._header_name).lower() == b"content-disposition":
            # Browsers and clients write names in UTF-8 (RFC 7578, 5.1).
            self._disposition = bytes(self._header_value).decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def _headers_end(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or b"name" not in options:
            raise BadRequest("A part of the form has no name", code="invalid_form")
        self._name = _text(options[b"name"], "the name of a field")
        self._is_file = b"filename" in options
        if self._is_file:
            filename = _text(options[b"filename"], "filename")
            self._events.append(FileBegins(self._name, filename))

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._events.append(Piece(data[start:end]))
            return
        self._field_bytes += end - start
        if self._field_bytes > MAX_FIELD_BYTES:
            raise BadRequest(
                f"The fields have more than {MAX_FIELD_BYTES} bytes; a file has a 'filename'",
                param=self._name,
                code="invalid_form",
            )
        self._value += data[start:end]

    def _part_ends(self) -> None:
        if self._is_file:
            self._events.append(FileEnds())
        else:
            self._events.append(Field(self._name, _utf8(bytes(self._value), self._name)))

    def _form_ends(self) -> None:
        self._is_over = True


def _text(value: bytes, what: str) -> str:
    text = _utf8(value, what)
    if len(text) > _MAX_NAME or any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        raise BadRequest(
            f"{what} has control characters or more than {_MAX_NAME} characters",
            code="invalid_form",
        )
    return text


def _utf8(value: bytes, what: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest(f"{what[:80]} is not valid UTF-8", code="invalid_encoding") from None


def _malformed(error: FormParserError) -> BadRequest:
    return BadRequest(f"The form cannot be read: {error}", code="invalid_form")
