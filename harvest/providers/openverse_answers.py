"""What Openverse answers: pictures, each with the licence and the author that its archive states."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest import source_keys
from harvest.errors import KeyRefused
from harvest.models import Hit
from harvest.providers import json_response, licence_parsing, parsing
from harvest.providers.base import PageResults

if TYPE_CHECKING:
    from harvest.licences import Licence
    from harvest.web.search_session import SearchPage

CAP = 240  # results of one search, whoever asks
_LABEL = "Openverse"


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is none."""
    number = parsing.parse_number(parsing.url_parameter(page.url, "page")) or 1
    if page.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} and number > 1:
        return PageResults([])  # past the end
    if page.status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused(
            "Openverse does not let us in (401).",
            "Compare OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET; it works without them, too.",
        )
    answer = json_response.read_object(page, _LABEL)
    listed = json_response.read_list(page, _LABEL, answer)
    hits = [hit for hit in map(_hit, listed) if hit]
    if listed and not hits:
        raise json_response.page_changed(page, _LABEL, "results that cannot be read")
    size, last = (parsing.parse_number(answer.get(name)) or 0 for name in ("page_size", "page_count"))
    more = number + 1 if number < last and number * size < CAP else None
    return PageResults(hits, more, parsing.parse_number(answer.get("result_count")))


def _hit(result: dict[str, Any]) -> Hit | None:
    url = parsing.parse_url(result.get("url"))
    if url is None:
        return None
    thumbnail = parsing.parse_url(result.get("thumbnail"))
    stated = licence_parsing.parse_licence(str(result.get("license_url")))  # which knows the country of a ported one
    return Hit(
        url=url,
        provider="OPENVERSE",
        source=source_keys.source_key(url),
        page=parsing.parse_url(result.get("foreign_landing_url")),
        title=parsing.parse_text(result.get("title"), html=True),
        width=parsing.parse_number(result.get("width")),
        height=parsing.parse_number(result.get("height")),
        author=parsing.parse_text(result.get("creator"), html=True),
        author_url=parsing.parse_url(result.get("creator_url")),
        licence=stated if stated.id else openverse_licence(result.get("license"), result.get("license_version")),
        others=(thumbnail,) if thumbnail and thumbnail != url else (),
    )


def openverse_licence(terms: object, version: object) -> Licence:
    """Return the licence of Openverse's own words for it."""
    marks = {"cc0": licence_parsing.CC0, "pdm": licence_parsing.PUBLIC_DOMAIN_MARK}
    return marks.get(str(terms)) or licence_parsing.parse_licence(f"cc-{terms}-{version}")
