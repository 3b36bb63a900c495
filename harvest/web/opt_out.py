"""Find the opt-out in the headers of a response: `X-Robots-Tag`, `Content-Usage` and `tdm-reservation`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harvest.web.usage_preferences import usage_forbids_training
from harvest.web.user_agent import NAME

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

_REFUSALS = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})
_WITH_VALUE = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})
_AGENT = re.compile(r"[a-z*][\w.-]*")


def find_opt_out(headers: httpx.Headers, *, is_reserved: bool = False) -> str | None:
    """Return the statement that forbids using an image for training, as text for people.

    `is_reserved` is what the tdmrep.json of the host says of the image, if its response says nothing.

    >>> import httpx
    >>> find_opt_out(httpx.Headers({"Content-Usage": "train-ai=n"})), find_opt_out(httpx.Headers())
    ('Content-Usage: train-ai=n', None)
    """
    if directive := _find_directive(headers.get_list("x-robots-tag")):
        return f"X-Robots-Tag: {directive}"
    if usage_forbids_training(", ".join(headers.get_list("content-usage"))):
        return "Content-Usage: train-ai=n"
    stated = _read_reservation(headers)
    if stated:
        return "tdm-reservation: 1"
    return "tdmrep.json: tdm-reservation: 1" if stated is None and is_reserved else None


def _read_reservation(headers: httpx.Headers) -> bool | None:
    """Return whether a response reserves the right to mine it; `None` if it says nothing valid.

    A response that says 0 outranks the rules of its host (TDMRep, section Processing priority).

    >>> import httpx
    >>> [_read_reservation(httpx.Headers({"TDM-Reservation": value})) for value in ("1", "0", "yes")]
    [True, False, None]
    """
    return {"1": True, "0": False}.get(headers.get("tdm-reservation", "").strip())


def _find_directive(tags: Iterable[str]) -> str | None:
    """Return the directive of `X-Robots-Tag` that forbids using an image.

    Directives after the name of another user agent are ignored.

    >>> _find_directive(["max-snippet: 20, NoAI"])
    'noai'
    >>> _find_directive(["otherbot: noindex, noai"])
    >>> _find_directive(["otherbot: nofollow, classharvest: noindex"])
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
