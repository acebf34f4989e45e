"""How the program ends: its exit codes, and what it says when it cannot go on."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
ENVIRONMENT: Final = 1
"""The machine, the cluster or a file is not fit."""
USAGE: Final = 2
"""The command or the input is wrong."""
STOPPED: Final = 3
"""A cap was reached, or nothing more can be answered; the same command goes on from here."""
INTERRUPTED: Final = 130


class BatchFailed(Exception):
    """Ends the program. `message` names what is wrong and the way out."""

    def __init__(self, message: str, exit_code: int = ENVIRONMENT) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
