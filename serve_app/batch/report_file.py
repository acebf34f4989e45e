"""The report beside the output: what the batch came to, and the sign that it has ended."""

from __future__ import annotations

import msgspec

from serve_app.batch.places import Place
from serve_app.batch.summary import Summary

_ENDING = ".report.json"


class ReportFile:
    """OUTPUT.report.json; written last, after the output is there whole."""

    def __init__(self, output: Place) -> None:
        self._place = output.beside(_ENDING)

    def exists(self) -> bool:
        return self._place.exists()

    def write(self, summary: Summary) -> None:
        self._place.write(msgspec.json.format(msgspec.json.encode(summary), indent=1))

    def read(self) -> Summary | None:
        """None if there is none that can be read."""
        if not self.exists():
            return None
        try:
            return msgspec.json.decode(self._place.read(), type=Summary)
        except msgspec.MsgspecError:
            return None

    def remove(self) -> None:
        self._place.remove()
