"""The rooms of the house, as the corridor finds them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from serve_app.accounting.ledger import Ledger
from serve_app.admission.porter import Admission
from serve_app.backends.execute import Executor
from serve_app.cache.base import Cache
from serve_app.core.clock import Clock
from serve_app.core.settlement import Settlement
from serve_app.filters.base import Filter
from serve_app.flights.flights import Flights
from serve_app.routing.base import Router
from serve_app.sessions.conversation import Conversation


class Rooms(Struct, frozen=True):
    """What the corridor connects. Built in one place, the graph."""

    admission: Admission
    filter: Filter
    conversation: Conversation
    cache: Cache
    router: Router
    executor: Executor
    flights: Flights
    ledger: Ledger
    clock: Clock
    tell: Callable[[Settlement], object]
    """Told of what each request came to, besides the ledger."""
