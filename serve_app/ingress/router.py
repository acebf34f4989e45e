"""Which handler a method and a path lead to: a table for plain paths, a tree for those with
values in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from msgspec import Struct

from serve_app.core.errors import NotFound
from serve_app.ingress.http import OPENAI_ERRORS, Exchange
from serve_app.ingress.problems import wrong_method
from serve_app.wire.shape import ErrorShape

Handler = Callable[[Exchange], Awaitable[None]]

_MAX_VALUE_CHARS = 256


class Route(Struct, frozen=True):
    """A method and a path, and who answers.

    `template` is a path whose segments may be values, such as `/v1/keys/{id}/rotate`; the last one
    may take the rest of the path: `/v1/models/{id...}`. Handlers find them in `exchange.params`.
    """

    method: str
    template: str
    handle: Handler
    shape: ErrorShape = OPENAI_ERRORS
    """How errors look there."""
    by_desk: bool = True
    """Work, which is counted and ended when the gateway closes; else always answered, unseen."""


class _Place:
    """A segment of a path and what lies below it."""

    __slots__ = ("below", "by_method", "rest", "template", "value")

    def __init__(self) -> None:
        self.below: dict[str, _Place] = {}
        self.value: tuple[str, _Place] | None = None
        self.rest: tuple[str, _Place] | None = None
        self.by_method: dict[str, Route] = {}
        self.template = ""


class Router:
    """Finds routes.

    Raises:
        ValueError: two routes have one place, or values of one place have two names.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Place()
        self._plain: dict[str, _Place] = {}
        self.listed: set[tuple[str, str]] = set()
        """Every route's method and path."""
        for route in routes:
            self._add(route)

    @property
    def paths(self) -> set[str]:
        """Every route's path."""
        return {path for _, path in self.listed}

    def find(self, exchange: Exchange) -> Route:
        """The route of an exchange, whose `params` and `route` are set on the way.

        Raises:
            NotFound: there is no such path.
            MethodNotAllowed: there is, for other methods.
        """
        place = self._plain.get(exchange.path) or self._walk(exchange)
        exchange.route = place.template
        method = "GET" if exchange.method == "HEAD" else exchange.method
        route = place.by_method.get(method)
        if route is None:
            exchange.shape = next(iter(place.by_method.values())).shape
            raise wrong_method(exchange.path, exchange.method, *place.by_method)
        exchange.shape = route.shape
        return route

    def _add(self, route: Route) -> None:
        place = self._root
        for segment in route.template[1:].split("/"):
            place = _below(place, segment)
        if route.method in place.by_method:
            raise ValueError(f"two routes for {route.method} {route.template}")
        place.by_method[route.method] = route
        place.template = route.template.replace("...}", "}")
        self.listed.add((route.method, place.template))
        if "{" not in route.template:
            self._plain[route.template] = place

    def _walk(self, exchange: Exchange) -> _Place:
        params: dict[str, str] = {}
        root, *segments = exchange.path.split("/")
        if root or not segments:  # such as `*`
            raise self._nothing(exchange.path)
        place = self._root
        for at, segment in enumerate(segments):
            if (below := place.below.get(segment)) is not None:
                place = below
            elif place.value is not None and 0 < len(segment) <= _MAX_VALUE_CHARS:
                name, place = place.value
                params[name] = segment
            elif place.rest is not None:
                name, place = place.rest
                params[name] = "/".join(segments[at:])
                break
            else:
                raise self._nothing(exchange.path)
        if not place.by_method:
            raise self._nothing(exchange.path)
        exchange.params = params
        return place

    def _nothing(self, path: str) -> NotFound:
        return NotFound(f"There is no {path[:80]!r}; there are {', '.join(self._plain)}")


def _below(place: _Place, segment: str) -> _Place:
    """What lies below a place at a segment of a template; made where it is new."""
    if not segment.startswith("{"):
        return place.below.setdefault(segment, _Place())
    name = segment[1:-1]
    if name.endswith("..."):
        place.rest = place.rest or (name[:-3], _Place())
        return place.rest[1]
    place.value = place.value or (name, _Place())
    if place.value[0] != name:
        raise ValueError(f"a value has two names: {place.value[0]!r} and {name!r}")
    return place.value[1]
