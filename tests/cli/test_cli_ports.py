"""Ports: free or taken, by whom, and a block for each gateway."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from serve_app.cli.failure import Failure
from serve_app.cli.life import ports


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_its_holder(taken: int) -> None:
    with pytest.raises(Failure) as caught:
        ports.require_free("127.0.0.1", taken)
    assert caught.value.exit_code == 1
    assert f"Port {taken} is taken by" in caught.value.message
    assert f"(process {os.getpid()})" in caught.value.message
    assert "--port" in caught.value.message


def test_a_port_taken_on_one_address_is_taken_for_all(taken: int) -> None:
    assert not ports.is_free("0.0.0.0", taken)


def test_a_port_is_free_again_once_its_connections_wait_to_be_forgotten() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as HAProxy does
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # the side that closes first keeps TIME_WAIT
    assert ports.is_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(Failure, match=r"Cannot listen on 192\.0\.2\.99"):
        ports.require_free("192.0.2.99", 8000)


def test_a_gateway_gets_the_same_block_again_while_it_is_free() -> None:
    assert ports.choose(8000) == ports.choose(8000)


def test_two_gateways_get_blocks_that_do_not_touch() -> None:
    first = ports.choose(8000)
    with socket.socket() as server:
        server.bind(("127.0.0.1", first.named["gcs"]))
        server.listen(1)
        second = ports.choose(8000)
    used = {*first.named.values(), *range(first.first_replica, first.last_replica + 1)}
    also = {*second.named.values(), *range(second.first_replica, second.last_replica + 1)}
    assert len(used) == len(first.named) + first.last_replica - first.first_replica + 1
    assert not used & also
    assert 8000 not in used
