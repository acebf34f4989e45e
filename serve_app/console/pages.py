"""The files of the page: read once at the start, then served from memory.

What a caller asks for is looked up by name among them; nothing from outside becomes a path.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from msgspec import Struct

INDEX: Final = "index.html"

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
"""By suffix; files of other kinds are not served."""


class Page(Struct, frozen=True):
    """One file."""

    body: bytes
    content_type: str
    etag: str
    """As its header says it, quotes included (RFC 9110, 8.8.3)."""

    @property
    def is_html(self) -> bool:
        return self.content_type.startswith("text/html")


class Pages:
    """The files of a folder and those below it, by their path there (`vendor/chart.js`).

    Raises:
        OSError: one of them cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        found = sorted(path for path in folder.rglob("*") if path.suffix in TYPES)
        self._by_name = {path.relative_to(folder).as_posix(): _read(path) for path in found}

    @property
    def names(self) -> list[str]:
        return list(self._by_name)

    def find(self, name: str) -> Page | None:
        """A file by its name; empty: the page itself."""
        return self._by_name.get(name or INDEX)


def shipped() -> Path:
    """The folder with the page that comes with this package."""
    return Path(__file__).parent / "static"


def _read(path: Path) -> Page:
    body = path.read_bytes()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return Page(body, TYPES[path.suffix], etag)
