"""Choose the proxy of a request: `--proxy`, or the usual environment variables, `NO_PROXY` included."""

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
    """A proxy and the option or variable that set it; `url` may contain a password, `str()` never does."""

    url: str = field(repr=False)
    origin: str

    def __str__(self) -> str:
        """Return the URL without user name and password."""
        return str(httpx.URL(self.url).copy_with(username=None, password=None)).rstrip("/")


class Proxies:
    """Chooses the proxy of each request, if any.

    `trusted` holds the `host:port` pairs of servers that belong to this program: they are never proxied.
    """

    def __init__(self, explicit: str | None = None, *, trusted: Collection[str] = ()) -> None:
        self._trusted = trusted
        if explicit:
            _check_not_a_word(explicit)
            proxy = _parse_proxy(explicit, "--proxy")
            self._by_scheme = {"http": proxy, "https": proxy}
        else:
            self._by_scheme = _from_environment()

    def __bool__(self) -> bool:
        return bool(self._by_scheme)

    def choose(self, address: Address) -> Proxy | None:
        """Return the proxy for an address, or `None` for a direct connection."""
        proxy = self._by_scheme.get(address.url.scheme)
        if proxy is None or address.host_and_port in self._trusted:
            return None
        return None if should_bypass_proxies(str(address.url), no_proxy=None) else proxy

    def describe(self) -> str:
        """Return which proxies are in use and where each was set; empty when none is.

        >>> Proxies("http://me:secret@proxy.example:3128").describe()
        'http://proxy.example:3128 (--proxy)'
        """
        origins: dict[str, dict[str, str]] = {}
        for scheme, proxy in sorted(self._by_scheme.items()):
            origins.setdefault(str(proxy), {})[scheme] = proxy.origin
        return ", ".join(
            f"{'' if len(by_scheme) > 1 else f'for {next(iter(by_scheme))}: '}{url} "
            f"({' and '.join(dict.fromkeys(by_scheme.values()))})"
            for url, by_scheme in origins.items()
        )


def _from_environment() -> dict[str, Proxy]:
    found = getproxies()  # on macOS and Windows also the system settings
    proxies = {}
    for scheme in ("http", "https"):
        kind = scheme if scheme in found else "all"
        if kind in found:
            proxies[scheme] = _parse_proxy(found[kind], _variable(f"{kind}_proxy"))
    return proxies


def _variable(name: str) -> str:
    for spelling in (name, name.upper()):  # lower case has precedence, as in curl
        if os.environ.get(spelling):
            return spelling
    return "system settings"


def _check_not_a_word(text: str) -> None:
    """Raise `UsageError` for a name without scheme and port, such as a misplaced word; it would mean port 80."""
    if ":" not in text:
        raise UsageError(
            f"--proxy is {text!r}, which has neither a scheme nor a port.",
            "For example: --proxy http://proxy.example:3128",
        )


def _parse_proxy(text: str, origin: str) -> Proxy:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        kind = f"a {url.scheme} proxy" if url.host else "not the URL of a proxy"
        raise UsageError(
            f"{origin} is {kind}. harvest supports http:// and https:// proxies.",
            "For example: --proxy http://proxy.example:3128",
        )
    return Proxy(str(url), origin)
