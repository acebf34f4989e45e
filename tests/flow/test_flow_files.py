"""Stored files, by the official client, over a whole gateway."""

from __future__ import annotations

import io
from pathlib import Path

import openai
import pytest
from batch_calls import client, rules, upload
from houses import Open


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVE_APP_DATA_DIR", str(tmp_path))


def on_disk(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_files_are_listed_in_pages_and_deleted(open_flow: Open) -> None:
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        ids = [await upload(api, b"x" * n, f"{n}.jsonl") for n in range(1, 6)]
        assert [one.id async for one in api.files.list(limit=2, order="asc")] == ids
        newest = await api.files.list(limit=2, purpose="batch")
        assert [one.id for one in newest.data] == ids[:2:-1]
        found = await api.files.retrieve(ids[2])
        assert (found.filename, found.bytes, found.purpose) == ("3.jsonl", 3, "batch")
        assert found.expires_at == found.created_at + 30 * 86_400
        assert (await api.files.content(ids[2])).content == b"xxx"
        assert (await api.files.delete(ids[2])).deleted
        with pytest.raises(openai.NotFoundError):
            await api.files.content(ids[2])


async def test_an_upload_says_when_it_expires(open_flow: Open) -> None:
    async with open_flow(rules=rules()) as flow, client(flow) as api:
        file = await api.files.create(
            file=io.BytesIO(b"x"),
            purpose="user_data",
            expires_after={"anchor": "created_at", "seconds": 3600},
        )
        assert file.expires_at is not None
        assert 3598 <= file.expires_at - file.created_at <= 3602
        with pytest.raises(openai.BadRequestError) as refused:
            await api.files.create(
                file=io.BytesIO(b"x"),
                purpose="user_data",
                expires_after={"anchor": "created_at", "seconds": 60},
            )
        assert refused.value.param == "expires_after.seconds"


async def test_too_large_a_file_is_refused_and_leaves_nothing(
    open_flow: Open, tmp_path: Path
) -> None:
    policy = rules(files={"max_file_bytes": 100_000})
    async with open_flow(rules=policy) as flow, client(flow) as api:
        await upload(api, b"x" * 100_000)
        for size in (100_001, 1_000_000):
            with pytest.raises(openai.APIStatusError) as refused:
                await upload(api, b"x" * size)
            assert refused.value.status_code == 413
        assert len([one async for one in api.files.list()]) == 1
        assert len(on_disk(tmp_path)) == 1
