"""A process that keeps records; the test kills it. Arguments: folder, URL, how many rows.

It tells on its output when its rows are on the disk, and then waits.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from records.records_world import charge, end, opened, until


def main() -> None:
    folder, url, rows = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    records = opened(folder, url)
    records.start()
    for at in range(rows):
        records.take([end(f"req_{at}")], [charge(request_id=f"req_{at}")])
    until(lambda: sum(records.counts().values()) == 2 * rows)
    print(records.counts()["spooled"], flush=True)
    threading.Event().wait()


main()
