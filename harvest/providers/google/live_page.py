"""Google's own page, asked for once under our own name: it is refused more often than not, and we say so."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from harvest.errors import Blocked, PageChanged, RateLimited
from harvest.providers.base import NewHits, PageResults, Provider
from harvest.providers.google import google_filters
from harvest.providers.google.result_page import has_only_thumbnails, parse_results

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.models import Hit, Query
    from harvest.web.search_session import SearchPage, SearchSession

_HOST = "www.google.com"
_OTHER_WAYS = (
    "We ask no further, and neither disguise ourselves nor solve captchas. What works:\n"
    "--google-pages FOLDER, with pages of Google Images that you saved in your browser (no key);\n"
    "SERPAPI_API_KEY, of the paid service serpapi.com;\n"
    "GOOGLE_API_KEY and GOOGLE_CSE_ID, of Custom Search, for those who have them, until 2027-01-01."
)
# What stands in such a page, and what it does. It is not read as a tree: see `page`.
_SIGNS = {
    r"""<form\b[^<>]*\bid="captcha-form"|class="g-recaptcha|/recaptcha/enterprise\.js""": "shows a captcha",
    r"""<form\b[^<>]*\baction="https://consent\.google\.""": "asks for consent to its cookies",
    r"""(?:src|href|url)=["']?/httpservice/retry/enablejs""": "sends a page that asks to enable JavaScript",
    r"unusual traffic": 'speaks of "unusual traffic"',
}


class LivePage(Provider):
    """Google's page as anybody may ask for it."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "one plain try"
    supported_filters: ClassVar = google_filters.SUPPORTED_FILTERS

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of the one page that comes, if it comes."""
        return NewHits(self.most).filter_new(self._ask(query, pages))

    def _ask(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        asked = {
            "q": google_filters.search_text(query),
            "udm": 2,
            **google_filters.search_parameters(query.filters),
        }
        try:
            page = pages.get(f"https://{_HOST}/search", params=asked, patient=False)
        except RateLimited:
            raise _blocked_error("refuses us (429)") from None
        yield parse(page).hits


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it is neither results nor says that there are none."""
    parts = urlsplit(page.url)
    if parts.hostname != _HOST or parts.path.startswith("/sorry/"):
        raise _blocked_error(f"sends us to {parts.hostname}{parts.path}")
    if page.status != HTTPStatus.OK:
        raise _blocked_error(f"answers {page.status}")
    if hits := parse_results(page.text):
        return PageResults(hits)
    for sign, what in _SIGNS.items():
        if re.search(sign, page.text):
            raise _blocked_error(what)
    if "did not match any" in page.text:
        return PageResults([])
    what = "thumbnails only" if has_only_thumbnails(page.text) else "neither results nor a sign that there are none"
    raise PageChanged(f"Google sent a page with {what}: its layout is not known.", _OTHER_WAYS, page.text)


def _blocked_error(what: str) -> Blocked:
    return Blocked(f"Google {what} instead of results.", _OTHER_WAYS)
