"""What an address says of its source: which photograph it is, whatever the host, size or secret."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

# The first group names the photograph.
_PHOTOGRAPHS = tuple(
    (source, re.compile(pattern, re.ASCII | re.IGNORECASE))
    for source, pattern in [
        ("flickr", r"(?:\w+\.)?static\.?flickr\.com/(?:\d+/)*(\d+)_[0-9a-f]{6,}(?:_\w+)?\.\w+$"),
        ("flickr", r"(?:www\.|m\.)?flickr\.com/photos/(?!tags/)[^/]+/(\d+)(?:/|$)"),
        ("inaturalist", r"(?:static|www)\.inaturalist\.org/photos/(\d+)(?:/|$)"),
        ("inaturalist", r"inaturalist-open-data\.s3\.amazonaws\.com/photos/(\d+)/"),
        ("commons", r"upload\.wikimedia\.org/wikipedia/commons/(?:thumb/)?[0-9a-f]/[0-9a-f]{2}/([^/]+)"),
        (
            "commons",
            r"commons\.(?:m\.)?wikimedia\.org/wiki/(?:File:|Special:(?:FilePath|Redirect/file)/)([^/]+)$",
        ),
    ]
)
_PROXY = re.compile(r"i[0-3]\.wp\.com")  # WordPress's picture proxy: the true address is its path
_RENDITION = re.compile(r"(/wp-content/uploads/.+)-(?:\d{2,4}x\d{2,4}|scaled)(\.\w{3,4})$", re.ASCII)
_TRACKING = re.compile(
    r"utm_\w+|(?:fb|g|d|ms|tt|tw|y)clid|[gw]braid|gclsrc|_g[al]|igshid?|mc_[ce]id|mkt_tok|ref_(?:src|url)|srsltid",
    re.ASCII | re.IGNORECASE,
)
_PORTS = {"http": 80, "https": 443}


def key(url: str) -> str:
    """Return one key for every address of the same photograph; it never raises, whatever the text.

    >>> key("https://farm9.staticflickr.com/8193/8109766359_1f2d3c4b5a_z.jpg?zz=1")
    'flickr:8109766359'
    >>> key("http://Example.com:80/king.jpg?utm_source=feed#top")
    'url:https://example.com/king.jpg'
    """
    text = url.strip().encode(errors="replace").decode()
    try:
        parts = _unwrapped(text)
        host, port = _host(parts), parts.port
    except ValueError:
        return f"url:{text}"
    place = host + unquote(parts.path)
    for source, pattern in _PHOTOGRAPHS:
        if found := pattern.match(place):
            name = found[1].replace(" ", "_")
            return f"{source}:{name[0].upper()}{name[1:]}"
    scheme = parts.scheme
    if port not in (None, _PORTS.get(scheme)):
        host = f"{host}:{port}"
    elif scheme == "http":
        scheme = "https"  # one server, one picture
    path = _RENDITION.sub(r"\1\2", parts.path) or "/"
    query = "&".join(
        pair for pair in parts.query.split("&") if pair and not _TRACKING.fullmatch(pair.partition("=")[0])
    )
    return f"url:{scheme}://{host}{path}" + (f"?{query}" if query else "")


def _unwrapped(url: str) -> SplitResult:
    parts = urlsplit(url)
    for _ in range(3):  # a proxy of a proxy is rare, a longer chain is a trap
        if not _PROXY.fullmatch(parts.hostname or ""):
            break
        parts = urlsplit("https:/" + parts.path)
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.scheme not in _PORTS:
        raise ValueError
    return f"[{host}]" if ":" in host else host
