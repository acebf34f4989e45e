"""The configuration reference, written from the settings themselves.

`python -m serve_app.config.reference` prints docs/configuration.md; a test compares.
"""

from __future__ import annotations

import sys
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from serve_app.config.model_args import ClassifierArgs, ModelArgs
from serve_app.config.policy import Policy
from serve_app.config.section import Section
from serve_app.config.structure import GatewayArgs

_HEAD = """# Configuration reference

<!-- Written by `python -m serve_app.config.reference`; do not edit. -->

A configuration is an ordinary Ray Serve file (`serve deploy FILE` takes it as well as
`serve-app up --config FILE`). Ours in it are three things: **structure**, the `args` of the
gateway's application (a change starts new replicas); **policy**, the `user_config` of its
deployments (a change is taken up in place, no request dropped; write it once and repeat it with
a YAML anchor); and the `args` of the application of each **local model** and **classifier**.
Unknown keys are errors.

Overlays (`--overlay FILE`, any number) are merged over the file: mappings key by key, lists of
things with a `name` or `id` thing by thing, every other list as a whole.

Environment variables: `SERVE_APP_PORT` (default of `--port`), `SERVE_APP_CONFIG` (default of
`--config`), `SERVE_APP_DATA_DIR` (default `~/.local/share/serve-app`), `SERVE_APP_REDIS_URL`
(wins over `redis.url`), `SERVE_APP_RECORDS_URL` (wins over `records.url`) and
`SERVE_APP_RECORDS_PASSWORD`, `SERVE_APP_ADMIN_KEY`, `SERVE_APP_VIEWER_KEY`,
`SERVE_APP_SESSION_KEY`, `OTEL_EXPORTER_OTLP_ENDPOINT` and its like, and whatever
`api_key_env` names.
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, model in (
        ("Structure: `args` of `serve_app.graph:build_gateway`", GatewayArgs),
        ("Policy: `user_config` of the gateway's deployments", Policy),
        ("Local model: `args` of `serve_app.deployments.model_app:build_model`", ModelArgs),
        (
            "Classifier: `args` of `serve_app.deployments.classifier_app:build_classifier`",
            ClassifierArgs,
        ),
    ):
        parts.append(f"## {title}\n")
        parts += _sections(model, "", set())
    return "\n".join(parts)


def _sections(model: type[BaseModel], path: str, seen: set[type[BaseModel]]) -> list[str]:
    """A table for the model, then one for each model inside it."""
    if model in seen:
        return []
    seen.add(model)
    parts = [_heading(path, model)] if path else []
    parts += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    inner: list[tuple[str, type[BaseModel]]] = []
    for name, field in model.model_fields.items():
        parts.append(
            f"| `{name}` | {_cell(_type(field.annotation))} | {_cell(_default(field))} "
            f"| {_cell(field.description or '')} |"
        )
        inner += [(_join(path, name, field), found) for found in _models(field.annotation)]
    parts.append("")
    for where, found in inner:
        parts += _sections(found, where, seen)
    return parts


def _heading(path: str, model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    of_kind = "" if kind is None else f" with `kind: {get_args(kind.annotation)[0]}`"
    about = (model.__doc__ or "").strip() if model.__doc__ != Section.__doc__ else ""
    return f"### `{path}`{of_kind}\n" + (f"\n{about}\n" if about else "")


def _join(path: str, name: str, field: FieldInfo) -> str:
    origin = get_origin(field.annotation)
    repeated = "[]" if origin is list else ".<name>" if origin is dict else ""
    return f"{path}.{name}{repeated}" if path else f"{name}{repeated}"


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in _models(inner)]


def _type(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return " or ".join(_type(inner) for inner in get_args(annotation))
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if origin is list:
        return f"list of {_type(get_args(annotation)[0])}"
    if origin is dict:
        return f"mapping of {_type(get_args(annotation)[1])}"
    if annotation is type(None):
        return "null"
    return getattr(annotation, "__name__", str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined or isinstance(value, BaseModel):
        return "see below"
    return f"`{value!r}`" if isinstance(value, str) else f"`{_plain(value)}`"


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render())
