"""What the routes of stored files and of batches answer."""

from __future__ import annotations

from typing import Any, Final, get_args

from serve_app.core.batch import ENDPOINTS, WINDOWS, Status
from serve_app.core.stored_file import Purpose

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
_MAYBE_TIME: Final[Json] = {"type": ["integer", "null"], "minimum": 0}
_TIMES: Final = tuple(f"{status}_at" for status in get_args(Status) if status != "validating")


def stored_schemas() -> Json:
    """What they answer, by name."""
    return {
        "File": _object(
            id=_TEXT, object={"const": "file"}, bytes=_COUNT, created_at=_COUNT,
            expires_at=_MAYBE_TIME, filename=_TEXT, purpose={"enum": [*get_args(Purpose)]},
            status=_TEXT, status_details=_MAYBE_TEXT,
        ),
        "FileList": _page("File"),
        "FileDeleted": _object(id=_TEXT, object={"const": "file"}, deleted={"const": True}),
        "Batch": _object(
            id=_TEXT, object={"const": "batch"}, endpoint={"enum": [*ENDPOINTS]},
            model=_MAYBE_TEXT, errors={"type": ["object", "null"]}, input_file_id=_TEXT,
            completion_window={"enum": [*WINDOWS]}, status={"enum": [*get_args(Status)]},
            output_file_id=_MAYBE_TEXT, error_file_id=_MAYBE_TEXT, created_at=_COUNT,
            expires_at=_COUNT, **dict.fromkeys(_TIMES, _MAYBE_TIME),
            request_counts=_object(total=_COUNT, completed=_COUNT, failed=_COUNT),
            usage={"type": "object"}, metadata={"type": ["object", "null"]},
        ),
        "BatchList": _page("Batch"),
    }  # fmt: skip


def _page(of: str) -> Json:
    items = {"$ref": f"#/components/schemas/{of}"}
    return _object(
        object={"const": "list"}, data={"type": "array", "items": items},
        first_id=_MAYBE_TEXT, last_id=_MAYBE_TEXT, has_more={"type": "boolean"},
    )  # fmt: skip


def _object(**properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties]}
