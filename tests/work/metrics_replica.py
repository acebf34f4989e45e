"""A whole gateway as a process of its own: `metrics_replica.py REDIS_URL PROVIDER_URL NAME`.

It says on its standard output where it is, and stays until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from later import opened


async def main(redis_url: str, base_url: str, name: str) -> None:
    async with opened(redis_url, base_url, replica=name) as later:
        print(later.http._base_url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
