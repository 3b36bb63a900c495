"""Read the `X-Robots-Tag` header, as search engines do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.web.user_agent import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

_REFUSALS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_AGENT = re.compile(r"[a-z*][\w.-]*")


def find_opt_out(tags: Iterable[str]) -> str | None:
    """Return the directive that forbids using an image, if there is one.

    Directives after the name of another user agent are ignored.

    >>> find_opt_out(["max-snippet: 20, NoAI"])
    'noai'
    >>> find_opt_out(["otherbot: noindex, noai"])
    >>> find_opt_out(["otherbot: nofollow, classharvest: noindex"])
    'noindex'
    """
    for tag in tags:
        agent = "*"
        for part in tag.lower().split(","):
            name, colon, rest = (piece.strip() for piece in part.partition(":"))
            if colon and name not in _WITH_VALUE and _AGENT.fullmatch(name):
                agent, name = name, rest
            if name in _REFUSALS and agent in ("*", NAME):
                return name
    return None
