"""What models cost: a file of prices and a policy's own in, the price of a model's name out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import yaml
from msgspec import Struct
from pydantic import ValidationError

from serve_app.config.policy import Price
from serve_app.config.section import Section
from serve_app.core.errors import PolicyRejected

_EDITION = re.compile(r"[-@](?:\d{4}-\d\d-\d\d|\d{8}|\d{6}|\d{3,4}|latest|preview(?:-\d\d-\d\d)?)$")
"""What names a snapshot of a model: a date, a month, a number, or what is newest."""

OWN = "prices.yaml"
"""File of the data folder whose prices win over the shipped ones; `serve-app prices refresh`
writes it."""

_REMEMBERED = 1000
"""Names whose price is remembered; those of a configuration are far fewer."""


class Provider(Section):
    updated: date
    source: str
    models: dict[str, Price]


class _File(Section):
    providers: dict[str, Provider]


class Listed(Struct, frozen=True):
    """A price, since when it is so, and who says it."""

    name: str
    price: Price
    provider: str
    source: str
    updated: date | None = None
    """When it was looked up; None: nobody said."""


class PriceList:
    """Prices by model name, whatever its case.

    Args:
        prices: micro-USD per million tokens.
        listed: prices of which more is known; `prices` win over them.
    """

    def __init__(
        self, prices: Mapping[str, Price], listed: Mapping[str, Listed] | None = None
    ) -> None:
        own = {name: Listed(name, price, "", "the policy") for name, price in prices.items()}
        self.listed = {
            **{name.lower(): one for name, one in (listed or {}).items()},
            **{name.lower(): one for name, one in own.items()},
        }
        """Every price there is, by name in lower case."""
        self._found: dict[str, Listed | None] = {}

    @classmethod
    def load(
        cls, path: Path, overrides: Mapping[str, Price] | None = None, own: Path | None = None
    ) -> PriceList:
        """Read a file like the shipped `prices.yaml`.

        Args:
            own: one of the same kind that wins over it, if it is there.
            overrides: win over both.

        Raises:
            PolicyRejected: a file cannot be read, or names a model twice.
        """
        listed = _listed(path)
        if own is not None and own.exists():
            listed |= _listed(own)
        return cls(overrides or {}, listed)

    def price(self, model: str) -> Price | None:
        """The price of a model, None if it is not known.

        `gpt-4o-mini-2024-07-18` and `openai/gpt-4o-mini` cost what `gpt-4o-mini` costs, unless
        they have prices of their own. A name that only begins like a known one is unknown.
        """
        found = self.entry(model)
        return None if found is None else found.price

    def entry(self, model: str) -> Listed | None:
        """Like `price`, with what is known of it."""
        if model not in self._found:
            if len(self._found) > _REMEMBERED:
                self._found.clear()
            self._found[model] = self._find(model)
        return self._found[model]

    def _find(self, model: str) -> Listed | None:
        for name in _names(model.lower()):
            if (one := self.listed.get(name)) is not None:
                return one
        return None


def _names(model: str) -> Iterator[str]:
    """The name itself, then without its edition, then both without the vendor before the slash."""
    for name in dict.fromkeys((model, model.rpartition("/")[2])):
        yield name
        while (shorter := _EDITION.sub("", name)) != name:
            yield shorter
            name = shorter  # noqa: PLW2901


def _listed(path: Path) -> dict[str, Listed]:
    found: dict[str, Listed] = {}
    for provider, content in _read(path).providers.items():
        for name, price in content.models.items():
            if name.lower() in found:
                raise PolicyRejected(f"{path}: {provider}: {name!r} has a price already")
            found[name.lower()] = Listed(name, price, provider, content.source, content.updated)
    return found


def _read(path: Path) -> _File:
    try:
        # libyaml reads it ten times faster; policies change while requests run.
        content = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        return _File.model_validate(content)
    except OSError as error:
        raise PolicyRejected(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise PolicyRejected(f"{path}: not a price list: {error}") from error
