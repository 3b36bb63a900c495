"""Find archived copies of images with the availability API of the Wayback Machine.

https://archive.org/help/wayback_api.php describes the API. A copy is asked for as `TIMEid_`, the form without any
change of ours or theirs: the bytes as they were archived. Only the time is taken from the answer, never a URL.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from harvest.models import Body

if TYPE_CHECKING:
    from harvest.web.image_client import ImageClient

_API = "https://archive.org/wayback/available"
_TIME = re.compile(r"\d{14}")
_LARGEST = 100_000  # bytes of an answer


class Wayback:
    """Asks the Wayback Machine through the client of images: with its address check, limits and pace."""

    def __init__(self, client: ImageClient) -> None:
        self._client = client

    async def find_copy(self, url: str, day: str | None = None) -> str | None:
        """Return the URL of the copy that was archived nearest to a day, or `None` if there is none."""
        wanted = {"url": url} | ({"timestamp": re.sub(r"\D", "", day)[:14]} if day else {})
        answer = await self._client.fetch(f"{_API}?{urlencode(wanted)}")
        if not isinstance(answer, Body):
            return None
        time = parse_availability(answer.data)
        return None if time is None else f"https://web.archive.org/web/{time}id_/{url}"


def parse_availability(data: bytes) -> str | None:
    """Return the time of the closest copy in an answer of the API, or `None`.

    >>> parse_availability(b'{"archived_snapshots": {}}')
    """
    try:
        closest = json.loads(data[:_LARGEST])["archived_snapshots"]["closest"]
        time, is_available, status = closest["timestamp"], closest["available"], closest["status"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    is_usable = is_available is True and status == "200" and isinstance(time, str)
    return time if is_usable and _TIME.fullmatch(time) else None
