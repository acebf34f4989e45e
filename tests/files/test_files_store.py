"""Stored files: taken in, found, listed, deleted, cleaned up."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from serve_app.config.batch_policy import FilesPolicy
from serve_app.core.clock import FakeClock
from serve_app.core.errors import Blocked, NotFound, TooLarge
from serve_app.core.stored_file import FileQuery, FileRecord
from serve_app.files.blobs import Blobs
from serve_app.files.due import Due, DueList
from serve_app.files.files import SLACK_S, Files
from serve_app.store.client import Store

POLICY = FilesPolicy(max_file_bytes=1000, max_tenant_bytes=2500, expire_s=7200, upload_s=60)


class World:
    """Files in a folder of the test's, and a clock that the test moves."""

    def __init__(self, store: Store, folder: Path, policy: FilesPolicy = POLICY) -> None:
        self.folder = folder
        self.clock = FakeClock(1_700_000_000.0)
        self.blobs = Blobs(str(folder), {}, 2)
        self.files = Files(self.blobs, store, policy, self.clock)

    async def put(
        self,
        content: bytes = b"hello",
        tenant: str = "acme",
        purpose: str = "batch",
        file_id: str = "",
        expire_s: int | None = None,
    ) -> FileRecord:
        self.clock.advance(1)
        async with self.files.receive(tenant, file_id) as incoming:
            await incoming.write(content)
            return await incoming.keep(
                filename="a.jsonl", purpose=purpose, expires_at=self.files.expiry(expire_s)
            )

    async def content(self, record: FileRecord) -> bytes:
        async with aclosing(self.files.read(record)) as pieces:
            return b"".join([piece async for piece in pieces])

    def on_disk(self) -> list[Path]:
        return [path for path in self.folder.rglob("*") if path.is_file()]


@pytest.fixture
async def world(store: Store, tmp_path: Path) -> AsyncIterator[World]:
    world = World(store, tmp_path)
    yield world
    world.files.close()


async def test_a_file_is_kept_with_its_digest_and_size(world: World) -> None:
    record = await world.put(b"content")
    assert await world.files.get("acme", record.id) == record
    assert record.bytes == 7
    assert record.sha256 == hashlib.sha256(b"content").hexdigest()
    assert record.expires_at == world.clock.wall() + 7200
    assert await world.content(record) == b"content"


async def test_another_tenant_has_no_such_file(world: World) -> None:
    record = await world.put()
    with pytest.raises(NotFound):
        await world.files.get("other", record.id)
    assert (await world.files.page("other", FileQuery())).records == []


async def test_pages_go_on_where_they_ended(world: World) -> None:
    made = [await world.put(b"x", purpose=p) for p in ("batch", "vision", "batch", "batch")]
    ids = [record.id for record in made]

    async def listed(**query: object) -> tuple[list[str], bool]:
        page = await world.files.page("acme", FileQuery(**query))  # type: ignore[arg-type]
        return [record.id for record in page.records], page.has_more

    assert await listed() == (ids[::-1], False)
    assert await listed(newest_first=False, limit=3) == (ids[:3], True)
    assert await listed(newest_first=False, limit=3, after=ids[2]) == (ids[3:], False)
    assert await listed(limit=2, after=ids[3]) == ([ids[2], ids[1]], True)
    assert await listed(purpose="batch", newest_first=False) == ([ids[0], ids[2], ids[3]], False)
    await world.files.delete("acme", ids[2])
    assert await listed(newest_first=False, after=ids[2]) == (ids[3:], False)


async def test_a_page_is_full_though_expired_files_lie_between(world: World) -> None:
    old = await world.put()
    short = [await world.put(expire_s=3600) for _ in range(3)]
    new = await world.put()
    world.clock.advance(3601)
    page = await world.files.page("acme", FileQuery(limit=2, newest_first=False))
    assert [record.id for record in page.records] == [old.id, new.id]
    assert not page.has_more
    with pytest.raises(NotFound):
        await world.files.get("acme", short[0].id)


async def test_too_large_a_file_leaves_nothing(world: World) -> None:
    with pytest.raises(TooLarge):
        await world.put(b"x" * 1001)
    assert world.on_disk() == []
    assert (await world.files.page("acme", FileQuery())).records == []


async def test_a_tenant_has_so_much_room_and_gets_it_back(world: World) -> None:
    first = await world.put(b"x" * 1000)
    await world.put(b"x" * 1000)
    with pytest.raises(Blocked) as refused:
        await world.put(b"x" * 501)
    assert refused.value.code == "storage_full"
    assert len(world.on_disk()) == 2
    await world.put(b"x" * 1000, tenant="other")
    await world.files.delete("acme", first.id)
    await world.put(b"x" * 1000)


async def test_delete_really_deletes(world: World) -> None:
    record = await world.put()
    await world.files.delete("acme", record.id)
    assert world.on_disk() == []
    with pytest.raises(NotFound):
        await world.files.delete("acme", record.id)
    with pytest.raises(FileNotFoundError):
        await world.content(record)


async def test_expired_files_are_cleaned_and_others_stay(world: World) -> None:
    gone = await world.put(b"gone", expire_s=3600)
    stays = await world.put(b"stays")
    assert await world.files.clean(10) == 0
    world.clock.advance(3601)
    assert await world.files.clean(10) == 1
    assert await world.content(stays) == b"stays"
    with pytest.raises(FileNotFoundError):
        await world.content(gone)


async def test_without_an_expiry_a_file_stays(store: Store, tmp_path: Path) -> None:
    world = World(store, tmp_path, FilesPolicy(expire_s=None))
    record = await world.put()
    world.clock.advance(10 * 365 * 86_400)
    assert await world.files.clean(10) == 0
    assert await world.files.get("acme", record.id) == record
    world.files.close()


async def test_what_a_dead_process_left_is_cleaned(world: World) -> None:
    incoming = world.files.receive("acme")
    await incoming.__aenter__()
    await incoming.write(b"half")  # and here it dies
    assert await world.files.clean(10) == 0
    assert len(world.on_disk()) == 1
    world.clock.advance(POLICY.upload_s + SLACK_S + 1)
    assert await world.files.clean(10) == 1
    assert world.on_disk() == []
    await incoming.__aexit__(None, None, None)


async def test_a_process_that_died_after_the_record_left_a_good_file(
    world: World, store: Store
) -> None:
    async with world.files.receive("acme") as incoming:
        await incoming.write(b"whole")
        record = await incoming.keep(filename="f", purpose="batch", expires_at=0)
    # As if it had died before it said so.
    await DueList(store).put(Due("acme", record.id, record.blob), 0)
    assert await world.files.clean(10) == 1
    assert await world.content(record) == b"whole"
    assert await world.files.clean(10) == 0


async def test_a_file_with_a_name_is_stored_once_whoever_writes_it(world: World) -> None:
    first = await world.put(b"one", file_id="file-fixed")
    second = await world.put(b"one", file_id="file-fixed")
    assert second == first
    assert len(world.on_disk()) == 1
    assert await world.content(second) == b"one"
