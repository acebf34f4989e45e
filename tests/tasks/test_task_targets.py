"""Where webhooks may go."""

from __future__ import annotations

import pytest

from serve_app.config.tasks_policy import WebhookPolicy
from serve_app.tasks.targets import (
    Lookup,
    TargetRefused,
    TargetUnknown,
    check_url,
    resolve,
    system_lookup,
)

STRICT = WebhookPolicy()
LOOPBACK = WebhookPolicy(allow_http_loopback=True)
PRIVATE = WebhookPolicy(allow_private=True)


def names(*addresses: str) -> Lookup:
    """A name service that has these for every name."""

    async def lookup(host: str, port: int) -> list[str]:
        return list(addresses)

    return lookup


async def test_a_public_address_is_handed_on() -> None:
    where = names("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    target = await resolve("https://example.com/hook?x=1", STRICT, where)
    assert (target.host, target.port, target.is_tls) == ("example.com", 443, True)
    assert target.addresses == ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")
    assert (await resolve("https://example.com:8443/", STRICT, where)).port == 8443


BAD = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1",
    "169.254.169.254", "168.63.129.16", "100.100.100.200", "192.0.2.1", "198.18.0.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
    "::127.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a00:1::",
    "2001:db8::1", "2002:7f00:1::1",
]  # fmt: skip


@pytest.mark.parametrize("address", BAD)
async def test_an_address_of_our_own_is_refused(address: str) -> None:
    for found in (names(address), names("93.184.215.14", address)):
        with pytest.raises(TargetRefused):
            await resolve("https://example.com/", STRICT, found)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(TargetRefused):
        check_url(f"https://{host}/", STRICT)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "fc00::1", "100.64.0.1"])
async def test_private_networks_are_allowed_where_the_policy_says_so(address: str) -> None:
    target = await resolve("https://inside/", PRIVATE, names(address))
    assert target.addresses == (address,)
    with pytest.raises(TargetRefused):
        await resolve("http://inside/", PRIVATE, names(address))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fe80::1",
     "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "127.0.0.1", "0.0.0.0"],
)  # fmt: skip
async def test_metadata_and_this_machine_never_count_as_private(address: str) -> None:
    with pytest.raises(TargetRefused):
        await resolve("https://inside/", PRIVATE, names(address))


async def test_plain_http_goes_to_this_machine_only() -> None:
    for address in ("127.0.0.1", "::1"):
        target = await resolve("http://localhost:8080/", LOOPBACK, names(address))
        assert (target.port, target.is_tls) == (8080, False)
    for address in ("93.184.215.14", "10.0.0.1"):
        with pytest.raises(TargetRefused):
            await resolve("http://localhost/", LOOPBACK, names("127.0.0.1", address))
    with pytest.raises(TargetRefused):
        await resolve("http://localhost/", STRICT, names("127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    ["", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "https:///x",
     "https://user@example.com/", "https://:pw@example.com/", "https://example.com:99999/",
     "https://example.com:0/", "https://exa mple.com/", "https://example.com/\r\nx: y",
     "https://exämple.com/", "https://[::1", "https://example.com\\@10.0.0.1/",
     "https://example.com/" + "x" * 2048],
)  # fmt: skip
def test_what_is_no_url_for_a_webhook(url: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        check_url(url, LOOPBACK)
    assert (refused.value.status, refused.value.param) == (400, "webhook")


@pytest.mark.parametrize("url", ["https://2130706433/", "https://0x7f.1/", "https://127.1/"])
async def test_other_spellings_of_an_address_are_seen_through(url: str) -> None:
    with pytest.raises((TargetRefused, TargetUnknown)):
        await resolve(url, STRICT, system_lookup)


async def test_a_name_without_an_address_may_have_one_later() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    for lookup in (nothing, names()):
        with pytest.raises(TargetUnknown):
            await resolve("https://example.com/", STRICT, lookup)
