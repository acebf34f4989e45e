"""Addresses and secrets of channels: from the environment or a file, never from the
configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from serve_app.alerts.channels.base import NotDelivered
from serve_app.config.alerts_policy import AlertChannel


class Secret(Struct, frozen=True):
    """Where something secret is. It has no part in the text of this."""

    environ: Mapping[str, str]
    variable: str = ""
    file: str = ""

    @property
    def is_named(self) -> bool:
        return bool(self.variable or self.file)

    def read(self) -> str:
        """
        Raises:
            NotDelivered: it is not there.
        """
        if self.variable:
            value = self.environ.get(self.variable, "").strip()
            if not value:
                raise NotDelivered(f"the environment variable {self.variable} is not set")
            return value
        try:
            value = Path(self.file).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            value = ""
        if not value:
            raise NotDelivered(f"the file {self.file} cannot be read or is empty")
        return value

    def __repr__(self) -> str:
        return f"Secret({self.variable or self.file})"


def address_of(channel: AlertChannel, environ: Mapping[str, str]) -> Secret:
    return Secret(environ, channel.url_env, channel.url_file)


def secret_of(channel: AlertChannel, environ: Mapping[str, str]) -> Secret:
    return Secret(environ, channel.secret_env, channel.secret_file)
