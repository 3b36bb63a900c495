"""What Flickr answers: photos, or one of the many ways it says that there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from harvest.errors import (
    ASK_THE_DOCTOR,
    Blocked,
    KeyRefused,
    PageChanged,
    ProviderError,
    RateLimited,
    Unavailable,
    Unreachable,
)
from harvest.licences import Licence
from harvest.models import Hit
from harvest.providers import licence_parsing, parsing
from harvest.providers.base import PageResults

if TYPE_CHECKING:
    from harvest.web.search_session import SearchPage

CAP = 4000  # results of one search that differ; after them Flickr repeats itself
SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "m")  # of one photo, the largest first
_REFUSED = {401, 403}  # with a page of a firewall; Flickr itself refuses with 200
_BAD_KEY = {"96", "97", "98", "99", "100"}
_PASSING = {"0", "10", "105", "106", "201"}
_CHANGED = f"Its answers may be new. {ASK_THE_DOCTOR}"
LICENCES = {
    "0": licence_parsing.stated_licence(
        "LicenseRef-All-Rights-Reserved", "https://www.flickrhelp.com/hc/en-us/articles/10710266545556"
    ),
    "7": licence_parsing.stated_licence("LicenseRef-No-Known-Restrictions", "https://www.flickr.com/commons/usage/"),
    "8": licence_parsing.stated_licence("LicenseRef-US-Gov", "https://www.usa.gov/government-copyright"),
    "9": licence_parsing.CC0,
    "10": licence_parsing.PUBLIC_DOMAIN_MARK,
}
for _version, _numbered in {
    "2.0": {"1": "by-nc-sa", "2": "by-nc", "3": "by-nc-nd", "4": "by", "5": "by-sa", "6": "by-nd"},
    "4.0": {"11": "by", "12": "by-sa", "13": "by-nd", "14": "by-nc", "15": "by-nc-sa", "16": "by-nc-nd"},
}.items():
    LICENCES |= {number: licence_parsing.creative_commons(terms, _version) for number, terms in _numbered.items()}


def parse(page: SearchPage) -> PageResults:
    """Read an answer of photos.search; raise what it says when it is no list of photos."""
    if page.status in _REFUSED:
        raise Blocked(f"Flickr answers {page.status} instead of results.", "We asked no further; try again later.")
    answer = page.json()
    if not isinstance(answer, dict) or answer.get("stat") != "ok":
        raise _failure(answer if isinstance(answer, dict) else {}, page.text)
    photos = answer.get("photos")
    read = photos if isinstance(photos, dict) else {}
    total, listed = parsing.parse_number(read.get("total")), read.get("photo")
    if listed is None and str(read.get("total")) == "0":
        listed = []
    hits = [hit for hit in map(_hit, listed) if hit] if isinstance(listed, list) else []
    if not isinstance(listed, list) or (listed and not hits):
        raise PageChanged(f"Flickr counts {total or 'no'} photos and sends none that can be read.", _CHANGED, page.text)
    number, last, per_page = (parsing.parse_number(read.get(name)) or 1 for name in ("page", "pages", "perpage"))
    return PageResults(hits, number + 1 if number < last and number * per_page < CAP else None, total)


def _failure(answer: dict[str, object], text: str) -> ProviderError:
    code, message = str(answer.get("code")), parsing.parse_text(answer.get("message")) or ""
    said = f"{message} (code {code})"
    if code in _BAD_KEY:
        return KeyRefused(
            f"Flickr does not accept the key: {said}",
            "Compare FLICKR_API_KEY, and FLICKR_API_SECRET if set, with https://www.flickr.com/services/api/keys/",
        )
    if code in _PASSING:
        return Unreachable(f"Flickr cannot search now: {said}", "The same line again goes on from here.")
    if any(word in message.lower() for word in ("quota", "rate limit", "exceeded")):
        return RateLimited(f"Flickr has had too many calls with this key: {said}", "Try again in an hour.")
    if answer.get("stat") == "fail":
        return Unavailable(f"Flickr refuses this search: {said}", "Change the query, or leave Flickr out.")
    return PageChanged("Flickr sent an answer that is no result of a search.", _CHANGED, text)


def _hit(photo: object) -> Hit | None:
    if not isinstance(photo, dict):
        return None
    identity = str(photo.get("id"))
    sizes = [size for size in SIZES if parsing.parse_url(photo.get(f"url_{size}"))]
    if not sizes or not (identity.isascii() and identity.isdecimal()):
        return None
    urls = list(dict.fromkeys(str(parsing.parse_url(photo[f"url_{size}"])) for size in sizes))
    names = (parsing.parse_text(photo.get(name)) for name in ("pathalias", "path_alias", "owner"))
    owner = quote(next(filter(None, names), "-"), safe="@")
    return Hit(
        url=urls[0],
        provider="FLICKR",
        source=f"flickr:{identity}",
        page=f"https://www.flickr.com/photos/{owner}/{identity}",
        title=parsing.parse_text(photo.get("title"), html=True),
        width=parsing.parse_number(photo.get(f"width_{sizes[0]}")),
        height=parsing.parse_number(photo.get(f"height_{sizes[0]}")),
        author=parsing.parse_text(photo.get("ownername"), html=True),
        author_url=f"https://www.flickr.com/people/{owner}/",
        licence=LICENCES.get(str(photo.get("license")), Licence()),
        others=tuple(urls[1:]),
    )
