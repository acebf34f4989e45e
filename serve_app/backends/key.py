"""One key of a provider, and what is known of it: refused, limited for a while, or free."""

from __future__ import annotations

from serve_app.backends.secret import Secret

EVERY_MODEL = ""


class Key:
    """A key and its rests; times are monotonic seconds.

    Providers limit rates for each model, so a rest is one model's, unless it is for all. A key
    that is *closed* is not used; one that *rests* only as long as another is free.

    Args:
        where: the variable or line it came from; for people.
    """

    __slots__ = ("_closed", "_resting", "is_refused", "refused_at", "secret", "where")

    def __init__(self, secret: Secret, where: str) -> None:
        self.secret = secret
        self.where = where
        self.is_refused = False
        self.refused_at = 0.0
        self._closed: dict[str, float] = {}
        self._resting: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"Key({self.where})"

    def close(self, model: str, until: float) -> None:
        """Do not use it before; of two times the later holds."""
        self._closed[model] = max(until, self._closed.get(model, 0.0))

    def rest(self, model: str, until: float) -> None:
        """Use others first until then."""
        self._resting[model] = max(until, self._resting.get(model, 0.0))

    def is_free(self, model: str, now: float) -> bool:
        if self.is_refused:
            return False
        if not (self._closed or self._resting):
            return True
        if max(self.opens_at(model), self._resting.get(model, 0.0)) > now:
            return False
        self._resting.pop(model, None)
        self._closed.pop(model, None)
        return True

    def opens_at(self, model: str) -> float:
        """When it may be used, refused or not."""
        return max(self._closed.get(model, 0.0), self._closed.get(EVERY_MODEL, 0.0))

    def is_closed(self, now: float) -> bool:
        """For one model at least."""
        return any(until > now for until in self._closed.values())
