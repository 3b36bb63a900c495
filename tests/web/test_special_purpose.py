"""The blocks that IANA reserves for special purposes, entry by entry, independent of `ipaddress`."""

from __future__ import annotations

import ipaddress

import pytest

from harvest.web.address_policy import is_public
from harvest.web.special_purpose import is_special_purpose

# Copied from the two registries, not from the code: the first and the last address of each entry.
REGISTRY = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
METADATA = [
    "169.254.169.254",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
]
# Forms in which an IPv6 address contains an IPv4 one: mapped, compatible, translated, NAT64, 6to4, Teredo.
CARRIERS = ["::ffff:{}", "::{}", "::ffff:0:{}", "64:ff9b::{}", "64:ff9b:1::{}"]
# The addresses next to a block, and some well-known ones.
ORDINARY = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "128.0.0.0",
    "168.63.129.17",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.88.98.255",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2003::1",
    "2606:4700::1111",
    "2620:4f:8001::1",
    "2a00:1450:4001:80b::200e",
]


@pytest.fixture
def no_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `ipaddress` call every address global, as some versions do for some addresses."""
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, "is_global", property(lambda _: True))
        for name in ("is_multicast", "is_reserved", "is_unspecified", "is_private"):
            monkeypatch.setattr(kind, name, property(lambda _: False))


@pytest.mark.parametrize("block", REGISTRY)
@pytest.mark.usefixtures("no_help")
def test_X06_every_entry_of_the_registries(block: str) -> None:
    """Each reserved block is refused from its first to its last address, without `ipaddress`."""
    network = ipaddress.ip_network(block)
    assert is_special_purpose(network[0])
    assert is_special_purpose(network[-1])
    assert not is_public(str(network[0]))
    assert not is_public(str(network[-1]))


@pytest.mark.parametrize("ip", METADATA)
@pytest.mark.usefixtures("no_help")
def test_X06_metadata_of_clouds(ip: str) -> None:
    """The metadata addresses of clouds are not public, on any Python version."""
    assert not is_public(ip)


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("ip", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.0.0.192", "192.0.0.8"])
@pytest.mark.usefixtures("no_help")
def test_X06_special_address_inside_ipv6(carrier: str, ip: str) -> None:
    """A reserved IPv4 address is refused in every form in which an IPv6 address may contain it."""
    assert not is_public(carrier.format(ip))


@pytest.mark.usefixtures("no_help")
def test_X06_tunnels_are_refused() -> None:
    """6to4 and Teredo addresses are refused whatever they contain: the system may route to it."""
    packed = int(ipaddress.IPv4Address("127.0.0.1"))
    assert not is_public(str(ipaddress.IPv6Address((0x2002 << 112) | (packed << 80))))
    assert not is_public(str(ipaddress.IPv6Address((0x20010000 << 96) | (packed ^ 0xFFFFFFFF))))


@pytest.mark.parametrize("ip", ORDINARY)
def test_X06_ordinary_addresses_stay_public(ip: str) -> None:
    """The addresses next to the reserved blocks are public, alone and mapped into IPv6."""
    assert is_public(ip)
    if ":" not in ip:
        assert is_public(f"::ffff:{ip}")
