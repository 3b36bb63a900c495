"""The address policy: which IP addresses and names may be contacted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.web.address_policy import (
    BadAddress,
    PrivateAddress,
    check_host,
    check_url,
    is_public,
)

PRIVATE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",  # carrier-grade NAT
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",  # the metadata service of clouds
    "172.16.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",  # 6to4 relay
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.9",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "fc00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not an address",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
DISGUISED = [
    "127.1",
    "0x7f000001",
    "0X7F.1",
    "0x7f.0.0.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "127.0.0.01",
    "1.2.3.4.5",
    "256.1.1.1",
    "img.example.org.1",
    "localhost",
    "LOCALHOST.",
    "me.localhost",
]


@pytest.mark.parametrize("ip", PRIVATE)
def test_N13_private_address(ip: str) -> None:
    """An address that is private, special, or contains another one is not public."""
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PUBLIC)
def test_N13_public_address(ip: str) -> None:
    """An ordinary address is public."""
    assert is_public(ip)


@pytest.mark.parametrize("host", DISGUISED)
def test_N13_disguised_address(host: str) -> None:
    """A name that the system would read as a number or as this machine is refused without a lookup."""
    with pytest.raises(PrivateAddress):
        check_host(host)


@pytest.mark.parametrize("host", ["①②⑦.⓪.⓪.①", "a b", "a%2eb", "", ".", "a..b", "x" * 64, "a." * 130 + "com"])
def test_N13_no_host_name(host: str) -> None:
    """An invalid host name is not resolved."""
    with pytest.raises(BadAddress):
        check_host(host)


@given(st.integers(0, 2**32 - 1))
def test_N13_numbers_of_all_addresses(number: int) -> None:
    """An IPv4 address written as one decimal, hexadecimal or octal number is refused."""
    for text in (str(number), hex(number), f"0{number:o}", f"{number:#x}"):
        with pytest.raises(PrivateAddress):
            check_host(text)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.jpg",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "//example.org/a.jpg",
        "example.org/a.jpg",
        "",
        "http://",
        "http:///a.jpg",
        "http://example.org:99999/",
        "http://example.org:0/",
        "http://[::1",
        "http://exa mple.org/",
        "http://example.org/\r\nHost: 127.0.0.1",
        "http://me:pw@example.org/",
        "http://example.org\\@127.0.0.1/",
        "http://①②⑦.⓪.⓪.①/",
        "http://example.org/" + "a" * 9000,
    ],
)
def test_N12_no_web_address(url: str) -> None:
    """Anything but a plain http or https URL is refused."""
    with pytest.raises(BadAddress):
        check_url(url)


def test_N13_literals_in_urls() -> None:
    """Every form of a private address is refused in a URL too, including IPv6 and ports."""
    for host in ("127.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "0x7f000001"):
        with pytest.raises(PrivateAddress):
            check_url(f"http://{host}:8080/a.jpg")


def test_trusted_is_exact() -> None:
    """A trusted server is identified by host and port, not by host alone."""
    assert check_url("http://127.0.0.1:8080/a.jpg", trusted={"127.0.0.1:8080"}).port == 8080
    assert check_url("http://[::1]/a.jpg", trusted={"[::1]:80"}).host_and_port == "[::1]:80"
    with pytest.raises(PrivateAddress):
        check_url("http://127.0.0.1:8081/a.jpg", trusted={"127.0.0.1:8080"})


def test_address_is_kept_as_written() -> None:
    """Escapes are kept as written, because a URL may be signed; only the fragment is removed."""
    url = "https://example.org/x%2Fy%7Ez%3D?sig=a%2Bb%3D%3D&q=c,d%2C#top"
    assert str(check_url(url).url) == url.removesuffix("#top")


def test_server_is_one_for_both_schemes() -> None:
    """Both schemes of a host count as one server; another port is another server."""
    both = {check_url(f"{scheme}://example.org/").server for scheme in ("http", "https")}
    assert both == {"example.org"}
    assert check_url("http://example.org:8080/").server == "example.org:8080"
