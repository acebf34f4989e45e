"""The classifiers that filter rules may name, wherever they run: two rooms meet here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from serve_app.backends.base import Backend
from serve_app.backends.moderation import Moderation
from serve_app.filters.base import Classifier

APP = "app"
MODERATION = "moderation"

FindApp = Callable[[str], Classifier]
"""The classifier that a Serve application is, by its name."""


class Classifiers(Mapping[str, Classifier]):
    """Classifiers by `source`, each made when a policy first names it.

    Args:
        moderating: by name, what makes the backends that have an endpoint /moderations.
        find_app: None: there are no applications to ask.
    """

    def __init__(
        self, moderating: Mapping[str, Callable[[], Backend]], find_app: FindApp | None
    ) -> None:
        self._moderating = moderating
        self._find_app = find_app
        self._made: dict[str, Classifier] = {}
        self._moderations: list[Moderation] = []

    def __getitem__(self, source: str) -> Classifier:
        """
        Raises:
            KeyError: none can be had by that name. An application need not be up yet.
        """
        made = self._made.get(source)
        if made is None:
            made = self._made[source] = self._make(source)
        return made

    def __iter__(self) -> Iterator[str]:
        """The sources that are known; of applications those that were asked for."""
        yield from (f"{MODERATION}:{name}" for name in self._moderating)
        yield from (source for source in self._made if source.startswith(f"{APP}:"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _make(self, source: str) -> Classifier:
        kind, _, name = source.partition(":")
        if kind == APP and name and self._find_app is not None:
            return self._find_app(name)
        if kind != MODERATION:
            raise KeyError(source)
        backend, _, model = name.partition("/")
        made = Moderation(backend, self._moderating[backend](), model)
        self._moderations.append(made)
        return made

    async def close(self) -> None:
        """Let go of connections."""
        for moderation in self._moderations:
            await moderation.close()
