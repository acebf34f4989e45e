"""What there is to choose from: backend settings in, models out, on or off and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from serve_app.config.backend_settings import HostedBackend, LocalBackend, ModelSettings
from serve_app.core.types import Endpoint

_NAMES_SHOWN: Final = 30


class Model(Struct, frozen=True, gc=False):
    """One model at one backend."""

    backend: str
    id: str
    """The model's name at the backend."""
    ref: str
    """`backend/model`, unique."""
    local: bool
    context: int
    """Tokens, prompt and answer together."""
    max_output: int | None
    capabilities: frozenset[str]
    endpoint: Endpoint = "chat"
    off: str = ""
    """Why the backend is off and what turns it on; empty: it is on."""
    max_running: int | None = None
    """Calls that a local model takes at once; the next one is refused."""


class ModelName(NamedTuple):
    """A name that a request's `model` may have, and who answers to it."""

    id: str
    owner: str


class Catalog:
    """All models of all backends, in the order of the configuration.

    Args:
        backends: settings; their names are unique.
        environ: environment variables. A backend that names a key which is absent or empty
            there is off: its models stay known, so that a refusal can say what is missing.
    """

    def __init__(
        self, backends: Sequence[HostedBackend | LocalBackend], environ: Mapping[str, str]
    ) -> None:
        self._off = {backend.name: _why_off(backend, environ) for backend in backends}
        self._by_ref: dict[str, Model] = {}
        self._by_id: dict[str, list[Model]] = {}
        for backend in backends:
            for model in _models(backend, self._off[backend.name]):
                self._by_ref[model.ref] = model
                self._by_id.setdefault(model.id, []).append(model)

    def __iter__(self) -> Iterator[Model]:
        return iter(self._by_ref.values())

    def is_on(self, backend: str) -> bool:
        """False for a backend that is off, and for one that there is not."""
        return self._off.get(backend) == ""

    def off(self) -> dict[str, str]:
        """Backends that are off, each with the reason."""
        return {name: why for name, why in self._off.items() if why}

    def notices(self) -> list[str]:
        """A line for each backend that is off, with what turns it on."""
        return [f"backend {name!r} is off: {why}" for name, why in self.off().items()]

    def find(self, ref: str) -> Model | None:
        """The model with exactly this `backend/model`."""
        return self._by_ref.get(ref)

    def resolve(self, name: str) -> tuple[Model, ...]:
        """Models by `backend/model`, or by bare id (all backends that have it); () if none."""
        exact = self._by_ref.get(name)
        return (exact,) if exact is not None else tuple(self._by_id.get(name, ()))

    def names(self, may_use: Callable[[Model], bool] = lambda _: True) -> list[ModelName]:
        """Names of models that are on: bare ids, and `backend/model` where ids are shared.

        Args:
            may_use: False for a model that is not to be named.
        """
        names: list[ModelName] = []
        for model_id, models in self._by_id.items():
            usable = [model for model in models if not model.off and may_use(model)]
            if usable:
                names.append(ModelName(model_id, usable[0].backend))
            if len(usable) > 1:
                names.extend(ModelName(model.ref, model.backend) for model in usable)
        return names

    def all_names(self) -> list[str]:
        """Everything that `resolve` knows."""
        return [*self._by_id, *self._by_ref]

    def refs(self) -> list[str]:
        """Every `backend/model`, those that are off included."""
        return list(self._by_ref)


def _why_off(backend: HostedBackend | LocalBackend, environ: Mapping[str, str]) -> str:
    if isinstance(backend, LocalBackend) or backend.api_key_file or not backend.api_key_env:
        return ""
    names = backend.api_key_env
    if any(environ.get(name, "").strip() for name in names):
        return ""
    if len(names) > 1:
        return f"none of the environment variables {', '.join(names)} is set"
    state = "empty" if names[0] in environ else "not set"
    return f"environment variable {names[0]} is {state}"


def _models(backend: HostedBackend | LocalBackend, off: str) -> Iterator[Model]:
    for settings in backend.models:
        yield Model(
            backend=backend.name,
            id=settings.id,
            ref=f"{backend.name}/{settings.id}",
            local=isinstance(backend, LocalBackend),
            context=settings.context,
            max_output=settings.max_output,
            capabilities=_capabilities(settings),
            endpoint="embeddings" if settings.kind == "embedding" else "chat",
            off=off,
            max_running=backend.max_running if isinstance(backend, LocalBackend) else None,
        )


def _capabilities(settings: ModelSettings) -> frozenset[str]:
    """What the settings name and what follows from it: a schema is obeyed with an object."""
    named = frozenset[str](settings.capabilities)
    return named | {"json_object"} if "json_schema" in named else named


def shown(names: Sequence[str]) -> str:
    """Names for a message, bounded."""
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
