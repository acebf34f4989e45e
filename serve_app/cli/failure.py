"""What a command says when it cannot go on: one clear line, and an exit code."""

from __future__ import annotations

ENVIRONMENT = 1
"""The machine is not fit: a port is taken, memory, a driver or a package is missing."""
USAGE = 2
"""The command or the configuration is wrong."""


class Failure(Exception):
    """Ends a command. `message` names what is wrong and the way out."""

    def __init__(self, message: str, exit_code: int = ENVIRONMENT) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
