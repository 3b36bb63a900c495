"""The way out: `--proxy`, or the proxy variables every tool obeys, `NO_PROXY` among them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx
from requests.utils import should_bypass_proxies

from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from harvest.web.address_policy import Address


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy and who named it; `url` may hold a password, `str()` never does."""

    url: str = field(repr=False)
    origin: str

    def __str__(self) -> str:
        """Return its address for people."""
        return str(httpx.URL(self.url).copy_with(username=None, password=None)).rstrip("/")


class Proxies:
    """Chooses the proxy an address is asked through, if any.

    `trusted` holds each `host:port` that we serve ourselves: it is never asked through a proxy.
    """

    def __init__(self, explicit: str | None = None, *, trusted: Collection[str] = ()) -> None:
        self._trusted = trusted
        if explicit:
            proxy = _proxy(explicit, "--proxy")
            self._by_scheme = {"http": proxy, "https": proxy}
        else:
            self._by_scheme = _from_environment()

    def __bool__(self) -> bool:
        return bool(self._by_scheme)

    def choose(self, address: Address) -> Proxy | None:
        """Return the proxy for an address, or `None` for the direct way."""
        proxy = self._by_scheme.get(address.url.scheme)
        if proxy is None or address.host_and_port in self._trusted:
            return None
        return None if should_bypass_proxies(str(address.url), no_proxy=None) else proxy

    def describe(self) -> str:
        """Return which proxies are in use and who named them; empty when none is.

        >>> Proxies("http://me:secret@proxy.example:3128").describe()
        'http://proxy.example:3128 (--proxy)'
        """
        origins: dict[str, dict[str, str]] = {}
        for scheme, proxy in sorted(self._by_scheme.items()):
            origins.setdefault(str(proxy), {})[scheme] = proxy.origin
        return ", ".join(
            f"{'' if len(named) > 1 else f'for {next(iter(named))}: '}{address} "
            f"({' and '.join(dict.fromkeys(named.values()))})"
            for address, named in origins.items()
        )


def proxy_in_use(explicit: str | None = None) -> str:
    """Return which proxy pages and pictures are asked through, for people; empty when none is."""
    return Proxies(explicit).describe()


def _from_environment() -> dict[str, Proxy]:
    found = getproxies()  # on macOS and Windows the system's settings too
    chosen = {}
    for scheme in ("http", "https"):
        kind = scheme if scheme in found else "all"
        if kind in found:
            chosen[scheme] = _proxy(found[kind], _variable(f"{kind}_proxy"))
    return chosen


def _variable(name: str) -> str:
    for spelling in (name, name.upper()):  # the lower case wins, as in curl
        if os.environ.get(spelling):
            return spelling
    return "system settings"


def _proxy(text: str, origin: str) -> Proxy:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        kind = f"a {url.scheme} proxy" if url.host else "not the address of a proxy"
        raise UsageError(
            f"{origin} is {kind}; harvest speaks through http:// and https:// proxies.",
            "For example: --proxy http://proxy.example:3128",
        )
    return Proxy(str(url), origin)
