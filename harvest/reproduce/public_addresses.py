"""Decide which addresses may be published: those that anyone can reach, without a key in them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from harvest.files.check_names_and_cells import check_component
from harvest.web.address_policy import AddressRefused, check_url
from harvest.web.redact import redact

if TYPE_CHECKING:
    from harvest.models import Hit

# Names that only work within one network, besides those without a dot.
_LOCAL_ENDINGS = (".local", ".internal", ".intranet", ".lan", ".home", ".corp", ".arpa", ".localhost")
_LOCAL_PATH = re.compile(r"(?i)^(?:[/~\\]|\.{1,2}[/\\]|[a-z]:[/\\])")
_MOST = 2**31  # of ranks and pixels
_MOST_TITLE = 4_000  # characters: no more of it is written into an image


def is_public_url(url: str | None) -> bool:
    """Return whether a URL has a public host, and neither a user name nor a parameter that looks like a key.

    >>> is_public_url("https://example.org/king.jpg"), is_public_url("https://example.org/king.jpg?token=12")
    (True, False)
    >>> is_public_url("http://192.168.1.7/king.jpg"), is_public_url("http://nas/king.jpg")
    (False, False)
    """
    if not url or redact(url) != url:
        return False
    try:
        host = check_url(url).host.rstrip(".")
    except AddressRefused:
        return False
    return ":" in host or ("." in host and not host.endswith(_LOCAL_ENDINGS))


def publish_hit(hit: Hit) -> Hit | None:
    """Return a hit without what may not be published, or `None` if that is its own URL."""
    if not is_public_url(hit.url):
        return None
    licence = hit.licence if is_public_url(hit.licence.url) else replace(hit.licence, url=None)
    return replace(
        hit,
        others=tuple(url for url in hit.others if is_public_url(url)),
        source=hit.source if "://" not in hit.source or is_public_url(hit.source.partition(":")[2]) else "",
        page=hit.page if is_public_url(hit.page) else None,
        author_url=hit.author_url if is_public_url(hit.author_url) else None,
        title=hit.title and hit.title[:_MOST_TITLE],
        author=hit.author and hit.author[:_MOST_TITLE],
        licence=licence,
        rank=max(0, min(hit.rank, _MOST)),
        width=hit.width if 0 <= (hit.width or 0) <= _MOST else None,
        height=hit.height if 0 <= (hit.height or 0) <= _MOST else None,
    )


def is_folder_name(name: str) -> bool:
    """Return whether any machine can have a class folder of this name; a person may have made one that cannot."""
    try:
        return check_component(name) == name
    except ValueError:
        return False


def publish_query(text: str, provider: str) -> str:
    """Return a search term; of a path of a file on this machine, only the name of the file.

    >>> publish_query("/home/ada/lists/snakes.txt", "URLS"), publish_query("king snake", "BING")
    ('snakes.txt', 'king snake')
    """
    if provider == "URLS" or _LOCAL_PATH.match(text):
        return PurePath(text.replace("\\", "/")).name or "file"
    return text
