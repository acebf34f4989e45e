"""Content by name: all of it or nothing, in its folder or nowhere."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from serve_app.core.errors import PolicyRejected
from serve_app.files import names
from serve_app.files.blobs import PIECE, Blobs

CONTENT = bytes(range(256)) * 3000


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Blobs]:
    """A local folder, and another file system of fsspec."""
    url = str(tmp_path / "files") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"
    made = Blobs(url, {}, 4)
    yield made
    made.close()


async def read(blobs: Blobs, name: str, start: int = 0, end: int | None = None) -> bytes:
    async with aclosing(blobs.read(name, start, end)) as pieces:
        return b"".join([piece async for piece in pieces])


async def write(blobs: Blobs, name: str, content: bytes = CONTENT) -> None:
    async with blobs.writing(name) as writing:
        for at in range(0, len(content), 70_000):
            await writing.write(content[at : at + 70_000])
        await writing.keep()


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_what_was_written_is_read(blobs: Blobs) -> None:
    await write(blobs, "t-a/file-1/x")
    assert await read(blobs, "t-a/file-1/x") == CONTENT
    assert await read(blobs, "t-a/file-1/x", 1000, 1010) == CONTENT[1000:1010]
    assert await read(blobs, "t-a/file-1/x", PIECE - 3) == CONTENT[PIECE - 3 :]
    assert await read(blobs, "t-a/file-1/x", 5, 5) == b""


async def test_an_empty_file_is_a_file(blobs: Blobs) -> None:
    await write(blobs, "t-a/file-1/x", b"")
    assert await read(blobs, "t-a/file-1/x") == b""


async def test_deleted_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    await write(blobs, "t-a/file-1/x")
    await write(blobs, "t-a/batch_1/y")
    await write(blobs, "t-a/batch_1/z")
    await blobs.delete("t-a/file-1/x")
    await blobs.delete("t-a/batch_1")
    await blobs.delete("t-a/batch_1")
    for name in ("t-a/file-1/x", "t-a/batch_1/y", "t-a/batch_1/z"):
        with pytest.raises(FileNotFoundError):
            await read(blobs, name)


@pytest.mark.parametrize("name", ["../x", "t-a/../../x", "/etc/passwd", "t-a//x", "", "a/.", "a\0"])
async def test_no_name_leads_out_of_the_folder(blobs: Blobs, name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        await read(blobs, name)
    with pytest.raises(ValueError, match="no name"):
        blobs.writing(name)


async def test_what_breaks_off_never_was(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path), {}, 2)
    async with blobs.writing("t-a/file-1/x") as writing:
        await writing.write(CONTENT)
    assert on_disk(tmp_path) == []
    blobs.close()


async def test_a_writer_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path), {}, 2)
    begun = asyncio.Event()

    async def write_for_ever() -> None:
        async with blobs.writing("t-a/file-1/x") as writing:
            while True:
                await writing.write(CONTENT)
                begun.set()

    task = asyncio.create_task(write_for_ever())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert on_disk(tmp_path) == []
    blobs.close()


async def test_half_a_file_has_another_name_and_goes_with_the_whole(tmp_path: Path) -> None:
    blobs = Blobs(str(tmp_path), {}, 2)
    writing = blobs.writing("t-a/file-1/x")
    await writing.__aenter__()
    await writing.write(CONTENT)
    with pytest.raises(FileNotFoundError):
        await read(blobs, "t-a/file-1/x")
    await blobs.delete("t-a/file-1/x")  # as after a process that died
    assert on_disk(tmp_path) == []
    await writing.__aexit__(None, None, None)
    blobs.close()


@pytest.mark.parametrize("tenant", ["..", ".", "a/b", "a\\b", "Ä", "x" * 300, "", "a\0b", "%2e"])
async def test_any_tenant_has_a_folder_of_its_own(blobs: Blobs, tenant: str) -> None:
    mine, other = names.content(tenant, "file-1", "b"), names.content("acme", "file-1", "b")
    await write(blobs, other, b"acme")
    await write(blobs, mine, b"mine")
    assert await read(blobs, mine) == b"mine"
    assert await read(blobs, other) == b"acme"


def test_an_address_without_a_driver_is_refused() -> None:
    with pytest.raises(PolicyRejected, match=r"files\.url"):
        Blobs("nosuch://bucket", {}, 1)
