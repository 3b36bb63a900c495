"""Parse a result page of Google Images, saved in a browser or requested."""

from __future__ import annotations

import json
import re
from html import unescape
from itertools import islice
from typing import Any

from harvest import photo_keys
from harvest.models import Hit
from harvest.providers import answer_values

_RESULT = re.compile(r'\[0,"[\w-]{8,24}",\["https?:', re.ASCII)
_LONGEST = 20_000  # characters of one result; real ones have 1,500
_MOST = 5_000  # results of a page; the longest page seen, scrolled to its end, had 800, each of them twice
# The page is not parsed as a tree: html.parser takes minutes for a hostile page.
_LINK = re.compile(r"""<a\s[^<>]*?href="([^"<>]*/imgres\?[^"<>]*)\"""", re.ASCII | re.IGNORECASE)
# An image in the grid: by the id of its result, or by its thumbnail.
_SHOWN = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        r'\sdata-docid="([\w-]{8,24})"',
        r'\s(?:data-)?src="(https://encrypted-tbn\d?\.gstatic\.com/images\?[^"<>\s]{1,500})"',
    )
)
_DECODER = json.JSONDecoder()


def parse_results(text: str) -> list[Hit]:
    """Return the images of a page, each once; none if its layout is unknown."""
    return list({hit.source: hit for hit in reversed(_results(text) or _links(text))}.values())[::-1]


def has_only_thumbnails(text: str) -> bool:
    """Return whether a page shows images although `parse_results` finds none."""
    return "encrypted-tbn" in text or "data:image/" in text


def count_shown(text: str) -> int:
    """Return how many images the grid of a page shows, each once; 0 if it is not known."""
    counts = (len({match[1] for match in islice(shown.finditer(text), _MOST)}) for shown in _SHOWN)
    return next(filter(None, counts), 0)


def _results(text: str) -> list[Hit]:
    """Read the lists in the scripts of the page: [0, id, thumbnail, [URL, height, width], …]."""
    hits: dict[str, Hit] = {}
    for match in islice(_RESULT.finditer(text), _MOST):
        start = match.start()
        try:
            result, _ = _DECODER.raw_decode(text[start : start + _LONGEST])
        except (ValueError, RecursionError):
            continue
        if url := answer_values.parse_url(_at(result, 3, 0)):
            # A page of 2026 has every result twice; the id identifies the image.
            hits.setdefault(result[1], _hit(url, result))
    return list(hits.values())


def _hit(url: str, result: Any) -> Hit:
    return Hit(
        url=url,
        provider="GOOGLE",
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(_at(result, 9, "2003", 2)),
        title=answer_values.parse_text(_at(result, 9, "2003", 3)),
        width=answer_values.parse_number(_at(result, 3, 2)),
        height=answer_values.parse_number(_at(result, 3, 1)),
    )


def _at(value: Any, *path: int | str) -> Any:
    """Return the value at a path through lists and objects; `None` where the path does not exist."""
    for step in path:
        if isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        elif isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def _links(text: str) -> list[Hit]:
    """Read the older layout: links to /imgres with everything as parameters."""
    found = (_parse_link(unescape(link[1])) for link in islice(_LINK.finditer(text), _MOST))
    return [hit for hit in found if hit]


def _parse_link(link: str) -> Hit | None:
    if (url := answer_values.parse_url(answer_values.url_parameter(link, "imgurl"))) is None:
        return None
    return Hit(
        url=url,
        provider="GOOGLE",
        source=photo_keys.source_key(url),
        page=answer_values.parse_url(answer_values.url_parameter(link, "imgrefurl")),
        width=answer_values.parse_number(answer_values.url_parameter(link, "w")),
        height=answer_values.parse_number(answer_values.url_parameter(link, "h")),
    )
