"""What a name may cost before a model is chosen: names in, canonical names and top prices out.

Admission reserves before the router plans, so it reckons with the dearest model that the name may
lead to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct

from serve_app.config.policy import Price, RoutingPolicy
from serve_app.routing.catalog import Model
from serve_app.routing.directory import AUTO, Directory

UNKNOWN: Final = "?"
"""Stands for every name that there is not: limits per model count them together."""

_CHEAPER: Final = {AUTO: "cheap", "default": "cheap", "strong": "cheap"}
_MILLION: Final = 1_000_000


class Quote(Struct, frozen=True):
    """Of one name. Prices are micro-USD per million tokens."""

    name: str
    """Aliases resolved."""
    input: int = 0
    output: int = 0
    cheaper: str = ""
    """The name to ask for where money is short; empty: the caller's own choice stands."""
    counted: str = UNKNOWN
    """Under which limits per model count it: one name for one model, however it is asked for."""
    batch_input: int = 0
    batch_output: int = 0
    """Of work of batch priority: a hundredth of these."""

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Micro-USD at most, rounded up."""
        total = input_tokens * self.input + output_tokens * self.output
        return -(-total // _MILLION)

    def batch_cost(self, input_tokens: int, output_tokens: int) -> int:
        """The same of work of batch priority."""
        total = input_tokens * self.batch_input + output_tokens * self.batch_output
        return -(-total // (100 * _MILLION))


_NOTHING: Final = Quote(UNKNOWN)


class Quotes:
    """Quotes of one policy.

    Args:
        directory: what names stand for.
        policy: its aliases.
        price: of a model, None where it is not known.
    """

    def __init__(
        self, directory: Directory, policy: RoutingPolicy, price: Callable[[str], Price | None]
    ) -> None:
        self._directory = directory
        self._aliases = policy.aliases
        self._has_cheap = bool(policy.cheap)
        self._price = price
        self._known: dict[str, Quote] = {}

    def of(self, name: str) -> Quote:
        """The quote of a name that a request asks for; of one that there is not, `UNKNOWN`."""
        found = self._known.get(name)
        if found is None:
            found = self._made(name)
            if found is not _NOTHING:  # names from outside are not remembered
                self._known[name] = found
        return found

    def _made(self, name: str) -> Quote:
        try:
            models = list(self._models(name))
        except KeyError:
            return _NOTHING
        prices = [price for model in models if (price := self._price(model.id)) is not None]
        canonical = self._aliases.get(name, name)
        return Quote(
            canonical,
            max((price.input for price in prices), default=0),
            max((price.output for price in prices), default=0),
            _CHEAPER.get(canonical, "") if self._has_cheap else "",
            _counted(canonical, models),
            max((price.input * price.batch_percent for price in prices), default=0),
            max((price.output * price.batch_percent for price in prices), default=0),
        )

    def _models(self, name: str) -> Iterable[Model]:
        route = self._directory.route(name)
        routes = [route] if route is not None else self._directory.automatic.values()
        for one in routes:
            yield from (step.model for step in one.steps)
        if route is None:
            yield from (step.model for step in self._directory.embedding.steps)


def _counted(canonical: str, models: list[Model]) -> str:
    """The model's own name where the name that is asked for leads to that alone."""
    ids = {model.id for model in models}
    return ids.pop() if len(ids) == 1 and canonical != AUTO else canonical
