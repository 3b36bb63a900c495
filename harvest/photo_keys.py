"""Identify the photograph behind a URL, whatever its host, size or secret."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

_GOOGLE = r"(?:(?:lh\d|blogger|play-lh|yt3)\.googleusercontent|lh\d\.ggpht|\d\.bp\.blogspot)\.com"
_YOUTUBE = r"(?:i\d?\.ytimg|img\.youtube)\.com/vi(?:_webp)?"
_PIN = r"(?:[0-9a-f]{2}/){3}[0-9a-f]{32}"
_NATURE = r"(?:(?:static|www)\.inaturalist\.org|inaturalist-open-data\.s3\.amazonaws\.com)/photos/\d+"
_WIKIMEDIA = r"(?:upload|thumb)\.wikimedia\.org/wikipedia/commons"  # the latter since 2026


def _patterns(*rules: tuple[str, ...]) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
    return tuple((re.compile(rule[0], re.ASCII | re.IGNORECASE), rule[1:]) for rule in rules)


# The first group is the identifier of the photograph.
_PHOTO_PATTERNS = _patterns(
    (r"(?:\w+\.)?static\.?flickr\.com/(?:\d+/)*(\d+)_[0-9a-f]{6,}(?:_\w+)?\.\w+$", "flickr"),
    (r"(?:www\.|m\.)?flickr\.com/photos/(?!tags/)[^/]+/(\d+)(?:/|$)", "flickr"),
    (r"(?:static|www)\.inaturalist\.org/photos/(\d+)(?:/|$)", "inaturalist"),
    (r"inaturalist-open-data\.s3\.amazonaws\.com/photos/(\d+)/", "inaturalist"),
    (rf"{_WIKIMEDIA}/(?:thumb/)?[0-9a-f]/[0-9a-f]{{2}}/([^/]+)", "commons"),
    (
        r"commons\.(?:m\.)?wikimedia\.org/wiki/(?:File:|Special:(?:FilePath|Redirect/file)/)([^/]+)$",
        "commons",
    ),
    (r"images\.pexels\.com/photos/(\d+)/", "pexels"),
    (r"cdn\.pixabay\.com/photo/(?:\d+/)+[\w-]+-(\d+)_\w+\.\w+$", "pixabay"),
    (rf"{_GOOGLE}/(.+)/[swh]\d+(?:-\w+)*/[^/]*$", "googleusercontent"),
    (rf"{_GOOGLE}/([^=]+)(?:=[^/]*)?$", "googleusercontent"),
    (rf"[\w-]+\.pinimg\.com/(?:originals|\d+x\d*(?:_RS)?)/({_PIN})\.\w+$", "pinterest"),
    (rf"{_YOUTUBE}/([\w-]{{11}})/(?:(?:maxres|sd|hq|mq)?default|0|hq720)\.\w+$", "youtube"),
)
# A pattern for a URL without its query, and the URLs of larger renditions, the largest first. There are none for
# frames of a video other than its cover, and for formats of which only the thumbnail is a bitmap image (SVG).
_LARGER = _patterns(
    (
        r"((?:\w+\.)?static\.?flickr\.com/(?:\d+/)*\d+_[0-9a-f]{6,})(?:_[sqtmnwzc])?(?:_d)?\.jpg",
        r"\1_b.jpg",  # larger renditions have a secret of their own
    ),
    (rf"({_NATURE})/(?:square|thumb|small|medium|large)\.(\w+)", r"\1/original.\2"),
    (
        rf"{_WIKIMEDIA}/thumb(/\w/\w\w/[^/]+\.(?:jpe?g|png|gif|webp))/[^/]+",
        r"upload.wikimedia.org/wikipedia/commons\1",
    ),
    (rf"({_GOOGLE}/.+)/[swh]\d+(?:-\w+)*(/[^/]*)", r"\1/s0\2"),
    (rf"({_GOOGLE}/[^=]+)(?:=[^/]*)?", r"\1=s0"),
    (
        rf"[\w-]+\.pinimg\.com/(?:\d\d|[1-6]\d\d)x\d*(?:_RS)?/({_PIN})\.(\w+)",
        r"i.pinimg.com/originals/\1.\2",
        r"i.pinimg.com/736x/\1.jpg",  # always exists; the original may have another format
    ),
    (rf"[\w-]+\.pinimg\.com/\d+x\d*(?:_RS)?/({_PIN})\.(\w+)", r"i.pinimg.com/originals/\1.\2"),
    (
        rf"{_YOUTUBE}/([\w-]{{11}})/(?:mq)?default\.\w+",
        r"i.ytimg.com/vi/\1/maxresdefault.jpg",
        r"i.ytimg.com/vi/\1/hqdefault.jpg",
    ),
    (
        rf"{_YOUTUBE}/([\w-]{{11}})/(?:sddefault|hqdefault|0|hq720)\.\w+",
        r"i.ytimg.com/vi/\1/maxresdefault.jpg",
    ),
)
_PROXY = re.compile(r"i[0-3]\.wp\.com")  # WordPress's image proxy: its path is the original URL
_SHRUNK = re.compile(r"(/wp-content/uploads/.+)-(?:\d{2,4}x\d{2,4}|scaled)(\.\w{3,4})$", re.ASCII)
# Images to which hosts redirect, with status 200, in place of one that no longer exists.
_PLACEHOLDER = re.compile(
    r"(?:combo\.staticflickr|s\.yimg)\.com/.*photo_unavailable\w*\.\w+|i\.imgur\.com/removed\.png",
    re.ASCII | re.IGNORECASE,
)
_TRACKING = re.compile(
    r"(?:utm|mtm|hsa)_\w+|(?:pk|piwik|matomo)_(?:campaign|kwd|keyword|source|medium|content|cid)|(?:fb|g|d|tt|tw|y)clid|sccid"
    r"|(?:ir|rb_|ob_)clickid|msclkid|[gw]braid|gclsrc|gad_(?:source|campaignid)|_g[al]|igsh(?:id)?|epik|li_fat_id"
    r"|mc_[ce]id|mkt_tok|_hs(?:enc|mi)|hsctatracking|vero_(?:id|conv)|oly_(?:enc|anon)_id|wickedid|_openstat"
    r"|s_kwcid|ns_(?:source|mchannel|campaign|linkname|fee)|_branch_match_id|ref_(?:src|url)|srsltid|wprov",
    re.ASCII | re.IGNORECASE,
)
_PORTS = {"http": 80, "https": 443}


def source_key(url: str) -> str:
    """Return the key that all URLs of one photograph share; never raises, whatever the text.

    >>> source_key("https://farm9.staticflickr.com/8193/8109766359_1f2d3c4b5a_z.jpg?zz=1")
    'flickr:8109766359'
    >>> source_key("http://Example.com:80/king.jpg?utm_source=feed#top")
    'url:https://example.com/king.jpg'
    """
    text = url.strip().encode(errors="replace").decode()
    try:
        parts = _unwrap_proxy(text)
        host, port = _host(parts), parts.port
    except ValueError:
        return f"url:{text}"
    location = host + unquote(parts.path)
    for pattern, (source,) in _PHOTO_PATTERNS:
        if found := pattern.match(location):
            return f"{source}:{_normalize_name(source, found[1])}"
    scheme = parts.scheme
    if port not in (None, _PORTS.get(scheme)):
        host = f"{host}:{port}"
    elif scheme == "http":
        scheme = "https"  # the same server, the same image
    path = _SHRUNK.sub(r"\1\2", parts.path) or "/"
    query = "&".join(
        pair for pair in parts.query.split("&") if pair and not _TRACKING.fullmatch(pair.partition("=")[0])
    )
    return f"url:{scheme}://{host}{path}" + (f"?{query}" if query else "")


def renditions(url: str) -> tuple[str, ...]:
    """Return the known URLs of larger renditions, the largest first, and the URL itself, last.

    >>> renditions("https://live.staticflickr.com/8193/8109766359_1f2d3c4b5a_m.jpg")[0]
    'https://live.staticflickr.com/8193/8109766359_1f2d3c4b5a_b.jpg'
    >>> renditions("https://example.org/king.jpg")
    ('https://example.org/king.jpg',)
    """
    try:
        parts = urlsplit(url)
        host = _host(parts)
        larger = _larger_renditions(parts, host) if parts.port in (None, _PORTS[parts.scheme]) else []
    except ValueError:
        larger = []
    return tuple(dict.fromkeys([*larger, url]))


def is_placeholder(url: str) -> bool:
    """Return whether a URL is an image that a host shows in place of one that no longer exists.

    >>> is_placeholder("https://i.imgur.com/removed.png")
    True
    """
    return _PLACEHOLDER.fullmatch(url.partition("://")[2].partition("?")[0]) is not None


def _larger_renditions(parts: SplitResult, host: str) -> list[str]:
    if _PROXY.fullmatch(host):
        # Without size parameters the proxy returns the original; `ssl` selects https for its host.
        query = "ssl=1" if "ssl=1" in parts.query.split("&") else ""
        return [parts._replace(path=_SHRUNK.sub(r"\1\2", parts.path), query=query, fragment="").geturl()]
    for pattern, templates in _LARGER:
        if found := pattern.fullmatch(host + parts.path):
            return [f"{parts.scheme}://{found.expand(template)}" for template in templates]
    path = _SHRUNK.sub(r"\1\2", parts.path)
    return [parts._replace(path=path).geturl()] if path != parts.path else []


def _normalize_name(source: str, name: str) -> str:
    """Return the canonical identifier of a photograph: Commons accepts spaces and a lower-case first letter."""
    if source != "commons":
        return name
    name = name.replace(" ", "_")
    return f"{name[0].upper()}{name[1:]}"


def _unwrap_proxy(url: str) -> SplitResult:
    parts = urlsplit(url)
    for _ in range(3):  # a proxy of a proxy is rare; a longer chain is malicious
        if not _PROXY.fullmatch(parts.hostname or ""):
            break
        parts = urlsplit("https:/" + parts.path)
    return parts


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if not host or parts.scheme not in _PORTS:
        raise ValueError
    return f"[{host}]" if ":" in host else host
