"""What Openverse answers: pictures, each with the licence and the author that its archive states."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from harvest import sources
from harvest.errors import KeyRefused
from harvest.models import Hit
from harvest.providers import answers, licences, values
from harvest.providers.base import Found

if TYPE_CHECKING:
    from harvest.models import Licence
    from harvest.web.pages import Page

CAP = 240  # results of one search, whoever asks
_LABEL = "Openverse"


def parse(page: Page) -> Found:
    """Read a page of results; raise when it is none."""
    number = values.number(values.argument(page.url, "page")) or 1
    if page.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} and number > 1:
        return Found([])  # past the end
    if page.status == HTTPStatus.UNAUTHORIZED:
        raise KeyRefused(
            "Openverse does not let us in (401).",
            "Compare OPENVERSE_CLIENT_ID and OPENVERSE_CLIENT_SECRET; it works without them, too.",
        )
    answer = answers.opened(page, _LABEL)
    listed = answers.listed(page, _LABEL, answer)
    hits = [hit for hit in map(_hit, listed) if hit]
    if listed and not hits:
        raise answers.changed(page, _LABEL, "results that cannot be read")
    size, last = (values.number(answer.get(name)) or 0 for name in ("page_size", "page_count"))
    more = number + 1 if number < last and number * size < CAP else None
    return Found(hits, more, values.number(answer.get("result_count")))


def _hit(result: dict[str, Any]) -> Hit | None:
    url = values.address(result.get("url"))
    if url is None:
        return None
    thumbnail = values.address(result.get("thumbnail"))
    stated = licences.read(str(result.get("license_url")))  # which knows the country of a ported one
    return Hit(
        url=url,
        provider="OPENVERSE",
        source=sources.key(url),
        page=values.address(result.get("foreign_landing_url")),
        title=values.text(result.get("title"), html=True),
        width=values.number(result.get("width")),
        height=values.number(result.get("height")),
        author=values.text(result.get("creator"), html=True),
        author_url=values.address(result.get("creator_url")),
        licence=stated if stated.id else named(result.get("license"), result.get("license_version")),
        others=(thumbnail,) if thumbnail and thumbnail != url else (),
    )


def named(terms: object, version: object) -> Licence:
    """Return the licence of Openverse's own words for it."""
    marks = {"cc0": licences.CC0, "pdm": licences.PUBLIC_DOMAIN_MARK}
    return marks.get(str(terms)) or licences.read(f"cc-{terms}-{version}")
