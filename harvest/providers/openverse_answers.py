"""What Openverse answers: pictures, each with the licence and the author that its archive states."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest import source_keys
from harvest.errors import KeyRefused
from harvest.models import Hit
from harvest.providers import json_response, licence_parsing, parsing
from harvest.providers.base import Found

if TYPE_CHECKING:
    from harvest.models import Licence
    from harvest.web.search_session import Page

CAP = 240  # results of one search, whoever asks
_LABEL = "Openverse"


def parse(page: Page) -> Found:
    """Read a page of results; raise when it is none."""
    number = parsing.number(parsing.argument(page.url, "page")) or 1
    if page.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} and number > 1:
        return Found([])  # past the end
    if page.status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused(
            "Openverse does not let us in (401).",
            "Compare OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET; it works without them, too.",
        )
    answer = json_response.opened(page, _LABEL)
    listed = json_response.listed(page, _LABEL, answer)
    hits = [hit for hit in map(_hit, listed) if hit]
    if listed and not hits:
        raise json_response.changed(page, _LABEL, "results that cannot be read")
    size, last = (parsing.number(answer.get(name)) or 0 for name in ("page_size", "page_count"))
    more = number + 1 if number < last and number * size < CAP else None
    return Found(hits, more, parsing.number(answer.get("result_count")))


def _hit(result: dict[str, Any]) -> Hit | None:
    url = parsing.address(result.get("url"))
    if url is None:
        return None
    thumbnail = parsing.address(result.get("thumbnail"))
    stated = licence_parsing.read(str(result.get("license_url")))  # which knows the country of a ported one
    return Hit(
        url=url,
        provider="OPENVERSE",
        source=source_keys.key(url),
        page=parsing.address(result.get("foreign_landing_url")),
        title=parsing.text(result.get("title"), html=True),
        width=parsing.number(result.get("width")),
        height=parsing.number(result.get("height")),
        author=parsing.text(result.get("creator"), html=True),
        author_url=parsing.address(result.get("creator_url")),
        licence=stated if stated.id else named(result.get("license"), result.get("license_version")),
        others=(thumbnail,) if thumbnail and thumbnail != url else (),
    )


def named(terms: object, version: object) -> Licence:
    """Return the licence of Openverse's own words for it."""
    marks = {"cc0": licence_parsing.CC0, "pdm": licence_parsing.PUBLIC_DOMAIN_MARK}
    return marks.get(str(terms)) or licence_parsing.read(f"cc-{terms}-{version}")
