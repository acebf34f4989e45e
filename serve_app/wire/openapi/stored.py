"""The routes of stored files and of batches."""

from __future__ import annotations

from typing import Any, Final

from serve_app.core.stored_file import GIVEN, MAX_EXPIRY_S, MIN_EXPIRY_S
from serve_app.wire.batches import MAX_PAGE as MAX_BATCHES
from serve_app.wire.files import MAX_PAGE as MAX_FILES
from serve_app.wire.openapi.parts import desk_replies, operation, path, query

Json = dict[str, Any]

_FILE: Final = path("id", pattern="^file-[A-Za-z0-9_-]{1,64}$")
_BATCH: Final = path("id", pattern="^batch_[A-Za-z0-9_-]{1,64}$")
_AFTER: Final = query("after", "The last id of the page before.", maxLength=128)
_PROBLEM: Final = {"$ref": "#/components/responses/Problem"}


def stored_paths() -> Json:
    """By path, then by method."""
    return {**_file_paths(), **_batch_paths()}


def _file_paths() -> Json:
    one = "/v1/files/{id}"
    listing = [
        query("purpose", "Those of this purpose.", maxLength=128),
        _limit(MAX_FILES, MAX_FILES),
        query("order", "By when they were made.", enum=["asc", "desc"], default="desc"),
        _AFTER,
    ]
    return {
        "/v1/files": {
            "post": {
                **operation("createFile", "Store a file.", desk_replies("File")),
                "requestBody": {"required": True, "content": {"multipart/form-data": _form()}},
            },
            "get": operation("listFiles", "A page of them.", desk_replies("FileList"),
                             parameters=listing),
        },
        one: {
            "parameters": [_FILE],
            "get": operation("getFile", "What is known of one.", desk_replies("File")),
            "delete": operation("deleteFile", "Nothing of it is left.",
                                desk_replies("FileDeleted")),
        },
        f"{one}/content": {
            "parameters": [_FILE],
            "get": operation("downloadFile", "Its bytes, as they were stored.", _bytes()),
        },
    }  # fmt: skip


def _batch_paths() -> Json:
    one, shown = "/v1/batches/{id}", desk_replies("Batch")
    listing = [_limit(MAX_BATCHES, 20), _AFTER]
    return {
        "/v1/batches": {
            "post": operation("createBatch", "Answer the requests of a file, within a day.",
                              shown, body="BatchBody"),
            "get": operation("listBatches", "Newest first.", desk_replies("BatchList"),
                             parameters=listing),
        },
        one: {
            "parameters": [_BATCH],
            "get": operation("getBatch", "How far one is.", shown),
        },
        f"{one}/cancel": {
            "parameters": [_BATCH],
            "post": operation("cancelBatch", "What is done is delivered.",
                              {**shown, "409": _PROBLEM}),
        },
    }  # fmt: skip


def _form() -> Json:
    # Fields of a form are text.
    says = f"{MIN_EXPIRY_S} to {MAX_EXPIRY_S}."
    seconds = {"type": "string", "pattern": "^[0-9]{4,7}$", "description": says}
    return {
        "schema": {
            "type": "object",
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "purpose": {"enum": [*GIVEN]},
                "expires_after[anchor]": {"const": "created_at"},
                "expires_after[seconds]": seconds,
            },
            "required": ["file", "purpose"],
            "dependentRequired": {
                "expires_after[anchor]": ["expires_after[seconds]"],
                "expires_after[seconds]": ["expires_after[anchor]"],
            },
            "additionalProperties": False,
        }
    }


def _bytes() -> Json:
    content: Json = {"application/octet-stream": {}}
    return {**desk_replies("File"), "200": {"description": "OK", "content": content}}


def _limit(most: int, default: int) -> Json:
    return query("limit", "So many.", type="integer", minimum=1, maximum=most, default=default)
