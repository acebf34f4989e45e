"""A TCP line to Valkey that can be cut: what is on one side of it does not see the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from serve_app.store.embedded import EmbeddedValkey


class WireLine:
    """While it is cut, nothing goes through and nothing is refused: time limits find out."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._whole = asyncio.Event()
        self._whole.set()
        self._carrying: set[asyncio.Task[None]] = set()
        self.url = ""

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._path)
        try:
            with suppress(ConnectionError):
                await asyncio.gather(
                    self._carry(reader, far_writer), self._carry(far_reader, writer)
                )
        finally:
            far_writer.close()
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._whole.wait()
            writer.write(data)
        writer.close()

    async def close(self) -> None:
        for task in list(self._carrying):
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)


@asynccontextmanager
async def line_to(valkey: EmbeddedValkey) -> AsyncIterator[WireLine]:
    line = WireLine(valkey.url.removeprefix("unix://"))
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    line.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        line.mend()
        server.close()
        await line.close()
