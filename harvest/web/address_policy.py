"""Decide which addresses may be contacted: those of the public Internet only.

`ipaddress.is_global` is not enough. On every supported Python it is true for `224.0.0.1`, `::127.0.0.1`,
`64:ff9b::7f00:1` and `192.88.99.1`, and on some for more; `special_purpose` lists the reserved blocks for
all versions. Checking the host name is not enough either: `127.1`, `0x7f000001` and `2130706433` all reach
127.0.0.1. So a host is either a plain IP address, which is checked here, or a name, whose addresses are
checked when it is resolved. Anything else is refused.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import ClassVar

import httpx

from harvest.verdicts import Verdict
from harvest.web.special_purpose import is_special_purpose

Allowed = Callable[[str], bool]

_NAME = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")  # no top-level domain looks like this
_DOTTED = re.compile(r"\d{1,3}(\.\d{1,3}){3}")
_LONGEST = 8190  # the usual limit of servers for a request line
_PORTS = {"http": 80, "https": 443}


class AddressRefused(Exception):
    """A URL that is not requested; `verdict` is the verdict of its hit."""

    verdict: ClassVar[Verdict]


class BadAddress(AddressRefused):
    """Not a valid http or https URL."""

    verdict = Verdict.BAD_ADDRESS


class PrivateAddress(AddressRefused):
    """An address of this machine or its network, or one written in a form that hides it."""

    verdict = Verdict.BLOCKED_ADDRESS


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed URL that passed `check_url`."""

    url: httpx.URL
    host: str
    port: int

    @property
    def host_and_port(self) -> str:
        """The `host:port` of the URL."""
        return join_host_port(self.host, self.port)

    @property
    def server(self) -> str:
        """The name under which limits are counted: http and https of a host are one server, other ports are not."""
        return self.host if self.port in _PORTS.values() else self.host_and_port


def is_public(ip: str) -> bool:
    """Return whether an IP address is on the public Internet and cannot map to a private one.

    >>> is_public("93.184.215.14"), is_public("2606:4700::1111")
    (True, True)
    >>> is_public("169.254.169.254"), is_public("::ffff:10.0.0.1"), is_public("2002:7f00:1::")
    (False, False, False)
    """
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if is_special_purpose(address):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_host(host: str, allowed: Allowed = is_public) -> None:
    """Raise for a host that is a private address as written; the addresses of a name are checked when it is resolved.

    >>> check_host("img.example.org")
    >>> check_host("127.1")
    Traceback (most recent call last):
    harvest.web.address_policy.PrivateAddress: 127.1 is an IP address in an unusual form
    """
    host = host.lower()
    if ":" in host or _DOTTED.fullmatch(host):
        if not allowed(host):
            raise PrivateAddress(f"{host} is not an address of the public Internet")
        return
    if not _NAME.fullmatch(host) or len(host) > 253:  # noqa: PLR2004 - the longest name DNS knows
        raise BadAddress(f"{host[:80]!r} is not a host name")
    last = host.rstrip(".").rpartition(".")[2]
    if _NUMBER.fullmatch(last):
        raise PrivateAddress(f"{host} is an IP address in an unusual form")
    if last == "localhost" and not allowed("127.0.0.1"):
        raise PrivateAddress(f"{host} is this machine")


def check_url(url: str | httpx.URL, *, allowed: Allowed = is_public, trusted: Collection[str] = ()) -> Address:
    """Parse and check a URL; raise `BadAddress` or `PrivateAddress`.

    `trusted` holds the `host:port` pairs of servers that belong to this program; they are not checked.

    >>> check_url("HTTPS://Img.Example.org/a b.jpg#top").url
    URL('https://img.example.org/a%20b.jpg')
    >>> check_url("file:///etc/passwd")
    Traceback (most recent call last):
    harvest.web.address_policy.BadAddress: 'file:' is not http or https
    """
    address = _parse(url)
    if address.host_and_port not in trusted:
        check_host(address.host, allowed)
    return address


def join_url(address: Address, location: str) -> httpx.URL:
    """Return the URL that an address redirects to; raise `BadAddress` if it is not one."""
    try:
        return address.url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadAddress(f"the redirect is not a URL: {error}") from None


def join_host_port(host: str, port: int) -> str:
    """Return `host:port`, with the brackets an IPv6 address needs.

    >>> join_host_port("::1", 8080)
    '[::1]:8080'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parse(url: str | httpx.URL) -> Address:
    if isinstance(url, str):
        if len(url) > _LONGEST:
            raise BadAddress(f"the URL has {len(url)} characters")
        try:
            url = httpx.URL(url.strip())
        except (httpx.InvalidURL, ValueError) as error:
            raise BadAddress(f"not a URL: {error}") from None
    if url.scheme not in _PORTS:
        raise BadAddress(f"'{url.scheme[:20]}:' is not http or https")
    if url.userinfo:
        raise BadAddress("the URL contains a user name or password")
    if url.fragment:
        url = url.copy_with(fragment=None)
    host = url.raw_host.decode("ascii")
    if not _has_valid_labels(host):
        raise BadAddress(f"{host[:80]!r} is not a host name: a label that starts with xn-- is not Punycode")
    port = url.port or _PORTS[url.scheme]
    if not host or port > 65535 or url.port == 0:  # noqa: PLR2004 - the highest port
        raise BadAddress(f"{str(url)[:80]!r} has no valid host or port")
    return Address(url, host, port)


def _has_valid_labels(host: str) -> bool:
    """Return whether each label that starts with `xn--` is valid Punycode; httpx and yarl fail on others.

    >>> _has_valid_labels("xn--bcher-kva.example"), _has_valid_labels("img.xn--0.example")
    (True, False)
    """
    try:
        for label in host.split("."):
            if label.startswith("xn--"):
                label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):  # ValueError: a character beyond Unicode
        return False
    return True
