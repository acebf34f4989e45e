"""The live view: what the last minutes were like, and what is so now, as one answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serve_app.console import present, window
from serve_app.console.counted import Counted
from serve_app.console.growth import Growth
from serve_app.console.series import series
from serve_app.console.snapshots import SPANS, Moment
from serve_app.console.window import Known


class Live:
    """Makes live views.

    Args:
        known: the models there are.
    """

    def __init__(self, what: Counted, known: Sequence[Known]) -> None:
        self.counted = what
        self._known = known

    def view(self, name: str, moments: Sequence[Moment], now: float) -> dict[str, Any]:
        """
        Args:
            name: of the window.
            moments: of the window, in order; the first is from before it.
            now: Unix seconds, for a view of no moment at all.
        """
        step_s = SPANS[name][1]
        whole = Growth(moments)
        latest = moments[-1] if moments else Moment(now, {})
        rows = window.models(whole, self._known)
        return {
            "at": latest.at,
            "window": name,
            "step_s": step_s,
            "times": [moment.at for moment in moments[1:]],
            "series": series(moments, step_s),
            "totals": window.totals(whole, self.counted),
            "routes": window.routes(whole, self.counted),
            "errors": window.errors(whole, self.counted),
            "backends": [
                {**row, **present.model(latest, one)}
                for row, one in zip(rows, self._known, strict=True)
            ],
            **present.present(latest),
        }
