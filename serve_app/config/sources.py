"""Whether what filter rules ask exists: applications of the file, backends of the gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from serve_app.config.backend_settings import HostedBackend
from serve_app.config.deployment import GATEWAY_BUILDER, MODEL_BUILDER
from serve_app.config.filter_policy import ClassifierRule, FilterPolicy
from serve_app.config.structure import GatewayArgs

_NO_CLASSIFIERS = {GATEWAY_BUILDER, MODEL_BUILDER}


def missing_sources(
    policy: FilterPolicy, args: GatewayArgs, apps: Mapping[str, str]
) -> Iterator[tuple[int, str]]:
    """Rules whose `source` is not there: number of the rule, and what is wrong.

    Args:
        apps: import paths by name of application.
    """
    for number, rule in enumerate(policy.rules):
        if isinstance(rule, ClassifierRule) and (why := _missing(rule.source, args, apps)):
            yield number, why


def _missing(source: str, args: GatewayArgs, apps: Mapping[str, str]) -> str:
    kind, _, name = source.partition(":")
    if kind == "app":
        # A builder that is not ours may well make a classifier.
        known = sorted(app for app, path in apps.items() if path not in _NO_CLASSIFIERS)
        what, there = "application with a classifier", name in known
    else:
        known = [b.name for b in args.backends if isinstance(b, HostedBackend) and _moderates(b)]
        what, there = "backend of kind `openai`", name.partition("/")[0] in known
    return "" if there else f"{source!r} is no {what} (there is: {', '.join(known) or 'none'})"


def _moderates(backend: HostedBackend) -> bool:
    return backend.kind == "openai"
