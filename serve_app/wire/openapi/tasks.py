"""The routes of tasks that are there."""

from __future__ import annotations

from typing import Any, Final

from serve_app.wire.openapi.parts import desk_replies, operation, path, query
from serve_app.wire.tasks import CURSOR, MAX_AGE_S, MAX_PAGE, PURGE_CURSOR, PURGEABLE, STATES

Json = dict[str, Any]

_ID: Final = path("id", pattern="^task_[0-9a-f]{24}$")
_TENANT: Final = query("tenant", "Another's than the caller's is for admins.")


def task_paths() -> Json:
    """By path, then by method."""
    one, shown = "/v1/tasks/{id}", desk_replies("Task")
    listing = [
        query("state", "Those in this state.", enum=[*STATES]),
        _TENANT,
        query("cursor", "The `next` of the page before.", pattern=f"^({CURSOR})?$"),
        query("limit", "So many.", type="integer", minimum=1, maximum=MAX_PAGE, default=100),
    ]
    return {
        "/v1/tasks": {
            "get": operation("listTasks", "Newest first.", desk_replies("TaskList"),
                             parameters=listing),
            "delete": operation(
                "purgeTasks",
                "Forget tasks of every tenant, for admins: of a state, or of any in which they "
                "have ended; a state or an age is needed.",
                desk_replies("TasksPurged"), parameters=_purge_terms(),
            ),
        },
        one: {
            "parameters": [_ID],
            "get": operation("getTask", "What is known of one.", shown),
            "delete": operation("forgetTask", "It is ended if need be; nothing of it is left.",
                                desk_replies("TaskDeleted")),
        },
        f"{one}/cancel": {
            "parameters": [_ID],
            "post": operation("cancelTask", "One that has ended stays as it is.", shown),
        },
        f"{one}/retry": {
            "parameters": [_ID],
            "post": operation("retryTask", "A failed or dead one as if it were new.",
                              {**shown, "409": {"$ref": "#/components/responses/Problem"}}),
        },
    }  # fmt: skip


def _purge_terms() -> list[Json]:
    return [
        query("state", "Those in this state.", enum=[*PURGEABLE]),
        query("older_than_s", "That ended (or, if they have not, were made) so long ago.",
              type="integer", minimum=0, maximum=MAX_AGE_S),
        query("tenant", "Of this one."),
        query("cursor", "The `next` of the answer before.", pattern=f"^({PURGE_CURSOR})?$"),
    ]  # fmt: skip
