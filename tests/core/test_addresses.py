"""Addresses that callers may make the gateway call."""

from __future__ import annotations

import pytest

from serve_app.core.addresses import NotPublic, is_public, public_addresses


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_the_internets_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
        "2001:0:a00:1::f5ff:fffe",
    ],
)  # fmt: skip
def test_addresses_of_networks_of_ones_own_are_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "[::1]", "::1"])
async def test_a_host_of_the_own_network_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(NotPublic):
        await public_addresses(host, 443)


async def test_a_public_address_is_its_own() -> None:
    assert await public_addresses("1.1.1.1", 443) == ["1.1.1.1"]


async def test_a_name_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(NotPublic):
        await public_addresses("a" * 300 + ".example", 443)
