import pytest

from serve_app.store import address
from serve_app.store.address import is_cluster, parse


def test_every_server_is_spoken_to_alike() -> None:
    url = "rediss+cluster://me:p%40ss@one:7000,two,[::1]:7002/0?ssl_cert_reqs=none"
    cluster = parse(url)
    assert cluster.seeds == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert cluster.url_of(("::1", 7002)) == "rediss://me:p%40ss@[::1]:7002?ssl_cert_reqs=none"
    assert cluster.url_of(("10.0.0.1", 1)) == "rediss://me:p%40ss@10.0.0.1:1?ssl_cert_reqs=none"


def test_a_password_alone_and_no_options() -> None:
    assert parse("redis+cluster://:secret@one").url_of(("two", 5)) == "redis://:secret@two:5"
    assert parse("redis+cluster://one/").url_of(("two", 5)) == "redis://two:5"


@pytest.mark.parametrize(
    "url",
    [
        "redis+cluster://",
        "redis+cluster://me:secret@",
        "redis+cluster://me:secret@one:7000,",
        "redis+cluster://me:secret@one:port",
        "redis+cluster://me:secret@one:70000",
        "redis+cluster://me:secret@one/1",
        "redis://me:secret@one",
    ],
)
def test_what_is_no_address_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ValueError, match=r"cluster|HOST:PORT") as refused:
        parse(url)
    assert "secret" not in str(refused.value)


def test_which_addresses_are_of_a_cluster() -> None:
    assert is_cluster("redis+cluster://one")
    assert is_cluster("rediss+cluster://one")
    assert not is_cluster("redis://one")
    assert not is_cluster("unix:///tmp/redis+cluster://")
    assert address.name_of(("::1", 7)) == "[::1]:7"
