"""What a killed run may have left: processes of its own Ray that outlived it, found and ended.

The kernel ends Ray's servers with the program that started them, and workers leave when those are
gone. A vLLM engine may be in the middle of a computation and stay.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

import psutil

MARKER: Final = "SERVE_APP_BATCH"
"""Environment variable of every process that was started for a batch."""
_PATIENCE_S: Final = 3.0


def end_marked(name: str) -> int:
    """End the processes of this user that were started for the batch of this name.

    Returns:
        How many there were.
    """
    own = os.getpid()
    found = [p for p in psutil.process_iter() if p.pid != own and _is_marked(p, name)]
    for process in found:
        with suppress(psutil.Error):
            process.terminate()
    _, left = psutil.wait_procs(found, timeout=_PATIENCE_S)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=_PATIENCE_S)
    return len(found)


def _is_marked(process: psutil.Process, name: str) -> bool:
    try:
        return bool(process.environ().get(MARKER) == name)
    except (psutil.Error, OSError):
        return False
