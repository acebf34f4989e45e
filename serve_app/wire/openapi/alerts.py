"""The routes of alerts."""

from __future__ import annotations

from typing import Any

from serve_app.wire.alerts import SILENCE_ID
from serve_app.wire.openapi.parts import desk_replies, operation, path, replies

Json = dict[str, Any]


def alert_paths() -> Json:
    """By path, then by method."""
    silences = "/v1/alerts/silences"
    return {
        "/v1/alerts": {"get": operation(
            "listAlerts",
            "Alerts that fire or are about to, the last 100 events, rules and channels; for "
            "admins.",
            desk_replies("Alerts"),
        )},
        silences: {
            "get": operation("listSilences", "Newest first.", desk_replies("SilenceList")),
            "post": operation(
                "silenceAlerts", "Nobody is told of alerts that fit every matcher.",
                desk_replies("Silence"), body="SilenceBody",
            ),
        },
        f"{silences}/{{id}}": {
            "parameters": [path("id", pattern=SILENCE_ID)],
            "delete": operation("unsilenceAlerts", "Take a silence back.",
                                desk_replies("SilenceDeleted")),
        },
        "/v1/alerts/test/{channel}": {
            "parameters": [path("channel", pattern="^[A-Za-z][A-Za-z0-9_-]{0,63}$")],
            "post": operation("testAlertChannel", "Send a test message to a channel now.",
                              replies("ChannelTested")),
        },
    }  # fmt: skip
