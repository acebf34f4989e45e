"""What is said about a Redis before anything is started."""

from __future__ import annotations

import pytest
from store.valkey_cluster import ClusterServers

from serve_app.cli.failure import Failure
from serve_app.cli.life import preflight
from serve_app.store.embedded import EmbeddedValkey
from serve_app.store.probe import NoAnswer, probe, shown

LIMIT_S = 5.0


def test_a_server_and_a_cluster_that_answer(
    clean_valkey: EmbeddedValkey, cluster: ClusterServers
) -> None:
    probe(clean_valkey.url, LIMIT_S)
    probe(cluster.url, LIMIT_S)
    probe(cluster.url.replace("://", "://127.0.0.1:1,"), LIMIT_S)
    preflight.redis_answers(cluster.url)


def test_a_server_of_a_cluster_is_no_server_by_itself(cluster: ClusterServers) -> None:
    with pytest.raises(Failure, match=r"write redis\+cluster://") as caught:
        preflight.redis_answers(f"redis://127.0.0.1:{cluster.servers[0].port}")
    assert caught.value.exit_code == 2


def test_a_cluster_of_nobody_is_named_without_its_password() -> None:
    with pytest.raises(NoAnswer, match=r"127.0.0.1:1, 127.0.0.1:2: ConnectionError") as caught:
        probe("redis+cluster://me:hidden@127.0.0.1:1,127.0.0.1:2", LIMIT_S)
    assert "hidden" not in str(caught.value)


def test_a_server_without_a_cluster_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = EmbeddedValkey(tmp_path_factory.mktemp("v") / ("d" * 120))
    server.start()
    try:
        with pytest.raises(NoAnswer, match="belongs to no cluster, write redis://") as caught:
            probe(server.url.replace("redis://", "redis+cluster://"), LIMIT_S)
        assert "@" not in str(caught.value)
    finally:
        server.stop()


def test_a_cluster_that_is_not_in_order_is_found(own_cluster: ClusterServers) -> None:
    for server in own_cluster.servers:
        server.ask("CONFIG", "SET", "cluster-require-full-coverage", "yes")
        server.ask("CLUSTER", "DELSLOTSRANGE", 0, 0)
    own_cluster.await_state("fail")
    with pytest.raises(NoAnswer, match="cluster_state:fail"):
        probe(own_cluster.url, LIMIT_S)


def test_an_address_is_shown_without_what_is_secret_in_it() -> None:
    url = "rediss+cluster://me:hidden@one:7000,two:7001/0?password=hidden"
    assert shown(url) == "rediss+cluster://one:7000,two:7001/0"
