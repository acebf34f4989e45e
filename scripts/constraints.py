"""Writes constraints.txt: the versions that this environment has of everything we need.

`make constraints` brings the environment up to date first. Walks the requirements of serve-app
with its extras, so that what else is installed here stays out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

EXTRAS = ("cpu", "embedded", "dev")
HEAD = """\
# The versions that were tested together: every direct and transitive dependency of
# serve-app[cpu,embedded,dev], on Linux with CPython 3.11. `make serve` and `make test` install
# with them. To refresh: `make constraints`, then `make check test`.
#
# Versions are without local parts such as torch's `+cpu`: `torch==2.13.0` allows both builds.
"""


def closure(name: str, extras: Iterable[str]) -> dict[str, str]:
    """Canonical name to version of everything that `name` with `extras` needs here."""
    pins: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra) for extra in ("", *extras)]
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        try:
            distribution = metadata.distribution(package)
        except metadata.PackageNotFoundError:
            continue  # an optional one that was removed, see the Makefile
        pins[package] = Version(distribution.version).public
        for line in distribution.requires or ():
            waiting += _needed(Requirement(line), extra)
    del pins[canonicalize_name(name)]
    return pins


def _needed(requirement: Requirement, extra: str) -> list[tuple[str, str]]:
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
        return []
    name = canonicalize_name(requirement.name)
    return [(name, wanted) for wanted in ("", *requirement.extras)]


def main() -> int:
    pins = closure("serve-app", EXTRAS)
    lines = [f"{name}=={version}" for name, version in sorted(pins.items())]
    sys.stdout.write(HEAD + "\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
