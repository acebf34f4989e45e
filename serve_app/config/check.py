"""Checks a Serve file and collects every problem, each with the line it was written on."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from serve_app.config import marked
from serve_app.config.deployment import (
    CLASSIFIER_BUILDER,
    GATEWAY_BUILDER,
    MODEL_BUILDER,
    GatewayApp,
    ModelApp,
    deployment_names,
)
from serve_app.config.doors import left_open
from serve_app.config.marked import ConfigError, Step
from serve_app.config.model_args import ClassifierArgs, ModelArgs
from serve_app.config.policy import Policy
from serve_app.config.sources import missing_sources
from serve_app.config.structure import GatewayArgs

_TOP_LEVEL = {
    "proxy_location",
    "controller_options",
    "http_options",
    "grpc_options",
    "logging_config",
    "tracing_config",
    "target_capacity",
    "applications",
}
_SECRET = {"sha256", "url"}
"""Keys whose value is not repeated in an error: people paste the secret itself there."""
_Model = TypeVar("_Model", bound=BaseModel)


class Check:
    """Collects problems, so that a file with three mistakes is read once and not three times."""

    def __init__(self, document: marked.Map) -> None:
        self._document = document
        self._problems: list[str] = []
        self._policies_seen: list[tuple[tuple[Step, ...], Policy]] = []
        self._args_seen: dict[Step, GatewayArgs] = {}

    def done(self) -> None:
        if self._problems:
            raise ConfigError(self._problems)

    def top_level(self) -> None:
        for key in self._document:
            if key not in _TOP_LEVEL:
                known = ", ".join(sorted(_TOP_LEVEL))
                self._problem((key,), f"is not a key of a Serve file (known: {known})")
        apps = self._document.get("applications")
        if not isinstance(apps, list) or not apps:
            self._problem(("applications",), "must be a list of at least one application")
            self.done()

    def http(self, options: dict[str, Any]) -> tuple[str, int]:
        host, port = options.get("host", "127.0.0.1"), options.get("port", 8000)
        if not isinstance(host, str):
            self._problem(("http_options", "host"), f"must be a string, got {host!r}")
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
            self._problem(("http_options", "port"), f"must be a port number, got {port!r}")
        return str(host), port if isinstance(port, int) else 0

    def locked(self, host: str) -> None:
        """A gateway that others can reach asks for keys, or its policy says that it need not."""
        for where, policy in self._policies_seen:
            if why := left_open(policy.admission, host):
                self._problem((*where, "admission", "require_key"), why)

    def applications(self) -> tuple[list[GatewayApp], list[ModelApp]]:
        gateways: list[GatewayApp] = []
        models: list[ModelApp] = []
        seen: set[str] = set()
        for index, app in enumerate(self._document["applications"]):
            where: tuple[Step, ...] = ("applications", index)
            if not self._is_application(app, where, seen):
                continue
            if app["import_path"] == GATEWAY_BUILDER:
                gateways += self._gateway(app, where)
            elif app["import_path"] == MODEL_BUILDER:
                models += self._model(app, where)
            elif app["import_path"] == CLASSIFIER_BUILDER:
                self._valid(ClassifierArgs, app.get("args") or {}, (*where, "args"))
        self._local_apps_exist(seen)
        self._sources_exist()
        return gateways, models

    def _is_application(self, app: Any, where: tuple[Step, ...], seen: set[str]) -> bool:
        if not isinstance(app, dict):
            self._problem(where, "must be a mapping with `name` and `import_path`")
            return False
        for key in ("name", "import_path"):
            if not isinstance(app.get(key), str) or not app[key]:
                self._problem((*where, key), "is missing or not a string")
                return False
        if app["name"] in seen:
            self._problem((*where, "name"), f"{app['name']!r} is there twice")
        seen.add(app["name"])
        return True

    def _gateway(self, app: dict[str, Any], where: tuple[Step, ...]) -> list[GatewayApp]:
        args = self._valid(GatewayArgs, app.get("args") or {}, (*where, "args"))
        if args is None:
            return []
        self._args_seen[where[-1]] = args
        policies = self._policies(app, where, deployment_names(args))
        if not policies:
            return []
        prefix = str(app.get("route_prefix") or "/")
        return [GatewayApp(app["name"], prefix, args, policies[0])]

    def _policies(
        self, app: dict[str, Any], where: tuple[Step, ...], names: list[str]
    ) -> list[Policy]:
        """The policy of each listed deployment; all must be there and say the same."""
        listed = app.get("deployments") or []
        where = (*where, "deployments")
        found: dict[str, Policy] = {}
        for index, deployment in enumerate(listed):
            name = deployment.get("name") if isinstance(deployment, dict) else None
            if name not in names:
                self._problem(
                    (*where, index, "name"),
                    f"{name!r} is no deployment of this gateway (it has: {', '.join(names)})",
                )
                continue
            at = (*where, index, "user_config")
            policy = self._valid(Policy, deployment.get("user_config") or {}, at)
            if policy is not None:
                found[name] = policy
                self._policies_seen.append((at, policy))
            if policy is not None and policy != next(iter(found.values())):
                first = next(iter(found))
                self._problem(at, f"differs from that of {first!r}: write it once, as an anchor")
        missing = [n for n in names if n not in {_name(d) for d in listed}]
        if missing:
            self._problem(where, f"must list {', '.join(missing)} with the policy as user_config")
        return list(found.values())

    def _model(self, app: dict[str, Any], where: tuple[Step, ...]) -> list[ModelApp]:
        args = self._valid(ModelArgs, app.get("args") or {}, (*where, "args"))
        return [] if args is None else [ModelApp(app["name"], args)]

    def _local_apps_exist(self, names: set[str]) -> None:
        for index, app in enumerate(self._document["applications"]):
            if not isinstance(app, dict) or app.get("import_path") != GATEWAY_BUILDER:
                continue
            backends = (app.get("args") or {}).get("backends") or []
            for number, backend in enumerate(backends):
                if isinstance(backend, dict) and backend.get("kind") == "local":
                    self._app_exists(backend, index, number, names)

    def _app_exists(self, backend: dict[str, Any], app: int, number: int, names: set[str]) -> None:
        if backend.get("app") not in names:
            self._problem(
                ("applications", app, "args", "backends", number, "app"),
                f"{backend.get('app')!r} is no application of this file "
                f"(it has: {', '.join(sorted(names))})",
            )

    def _sources_exist(self) -> None:
        apps = {
            app["name"]: str(app.get("import_path"))
            for app in self._document["applications"]
            if isinstance(app, dict) and isinstance(app.get("name"), str)
        }
        for where, policy in self._policies_seen:
            args = self._args_seen[where[1]]
            for number, why in missing_sources(policy.filter, args, apps):
                self._problem((*where, "filter", "rules", number, "source"), why)

    def _valid(self, model: type[_Model], value: Any, where: tuple[Step, ...]) -> _Model | None:
        try:
            return model.model_validate(_plain(value))
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False):
                is_absent = detail["type"] == "missing"
                path = _real_path(value, detail["loc"], is_absent=is_absent)
                self._problem((*where, *path), _message(detail))
            return None

    def _problem(self, path: tuple[Step, ...], what: str) -> None:
        place = marked.place_of(self._document, path)
        self._problems.append(f"{place}: {marked.dotted(path)}: {what}")


def _name(deployment: Any) -> Any:
    return deployment.get("name") if isinstance(deployment, dict) else None


def _plain(value: Any) -> Any:
    """A copy in plain containers: a validator may add keys to what it gets."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _real_path(value: Any, loc: tuple[Step, ...], *, is_absent: bool) -> tuple[Step, ...]:
    """pydantic puts a union's tag (`openai`, `local`) into the path; the file has no such key.

    Args:
        is_absent: the last step is a key that is missing, so that it cannot be a tag.
    """
    path: list[Step] = []
    for number, step in enumerate(loc):
        is_missing = is_absent and number == len(loc) - 1
        if isinstance(value, dict) and step not in value and not is_missing:
            continue
        path.append(step)
        value = _inside(value, step)
    return tuple(path)


def _inside(value: Any, step: Step) -> Any:
    if isinstance(value, dict):
        return value.get(step)
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return value[step]
    return None


def _message(detail: Any) -> str:
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        return "is not a known key"
    if detail["type"] == "missing":
        return "is missing"
    given = detail.get("input")
    may_show = isinstance(given, str | int | float) and not _SECRET & {*detail["loc"]}
    return f"{message}, got {given!r}" if may_show else message
