"""Which requests and lookups the live view counts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

REQUESTS: Final = "serve_app_requests_total"
REQUEST_SECONDS: Final = "serve_app_request_seconds"
FIRST_TOKEN: Final = "gen_ai_server_time_to_first_token_seconds"  # noqa: S105
LOOKUPS: Final = "serve_app_cache_lookups_total"
TOKENS: Final = "serve_app_tokens_total"
COST: Final = "serve_app_cost_micro_usd_total"
SAVED: Final = "serve_app_saved_micro_usd_total"

HITS: Final = frozenset({"l1", "l2", "semantic", "flight"})
LEVELS: Final = frozenset({*HITS, "miss"})

_GONE: Final = "499"
"""The caller left: nobody's failure."""


class Counted:
    """Requests of some routes, by how they ended.

    Args:
        routes: those that ask a model; what operators ask is not traffic.
    """

    def __init__(self, routes: Collection[str]) -> None:
        self._routes = frozenset(routes)

    def asked(self, labels: Mapping[str, str]) -> bool:
        return labels["route"] in self._routes

    def failed(self, labels: Mapping[str, str]) -> bool:
        """By our fault, or that of all backends."""
        return self.asked(labels) and labels["status"] >= "500"

    def refused(self, labels: Mapping[str, str]) -> bool:
        """By the caller's fault, or because of a limit."""
        return self.asked(labels) and "400" <= labels["status"] < _GONE


def looked_up(labels: Mapping[str, str]) -> bool:
    """Not those where the cache was not to be asked."""
    return labels["level"] in LEVELS
