"""Google's own result page, requested once under our own name; Google mostly refuses it."""

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
    from harvest.web.request_search_pages import SearchPage, SearchSession

_HOST = "www.google.com"
_OTHER_WAYS = (
    "harvest stopped searching Google; it neither disguises itself nor solves captchas. Use one of:\n"
    "--google-pages FOLDER, with pages of Google Images that you saved in your browser (no key);\n"
    "SERPAPI_API_KEY, for the paid service serpapi.com;\n"
    "SERPER_API_KEY, for the paid service serper.dev;\n"
    "GOOGLE_API_KEY and GOOGLE_CSE_ID, for existing customers of Custom Search, until 2027-01-01."
)
# Patterns of a refusal, and their meaning. The page is not parsed as a tree: see `result_page`.
_SIGNS = {
    r"""<form\b[^<>]*\bid="captcha-form"|class="g-recaptcha|/recaptcha/enterprise\.js""": "shows a captcha",
    r"""<form\b[^<>]*\baction="https://consent\.google\.""": "asks for consent to its cookies",
    r"""(?:src|href|url)=["']?/httpservice/retry/enablejs""": "sends a page that asks to enable JavaScript",
    r"unusual traffic": 'reports "unusual traffic"',
}


class LivePage(Provider):
    """Google's result page, without a key."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "one plain request"
    supported_filters: ClassVar = google_filters.SUPPORTED_FILTERS

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of the first page, if Google sends it."""
        return NewHits(self.most).filter_new(self._ask(query, pages))

    def _ask(self, query: Query, pages: SearchSession) -> Iterator[list[Hit]]:
        params = {
            "q": google_filters.search_text(query),
            "udm": 2,
            **google_filters.search_parameters(query.filters),
        }
        try:
            page = pages.get(f"https://{_HOST}/search", params=params, patient=False)
        except RateLimited:
            raise _blocked_error("refuses the request (429)") from None
        yield parse(page).hits


def parse(page: SearchPage) -> PageResults:
    """Read a page of results; raise when it has neither results nor a sign that there are none."""
    parts = urlsplit(page.url)
    if parts.hostname != _HOST or parts.path.startswith("/sorry/"):
        raise _blocked_error(f"redirects to {parts.hostname}{parts.path}")
    if page.status != HTTPStatus.OK:
        raise _blocked_error(f"answers {page.status}")
    if hits := parse_results(page.text):
        return PageResults(hits)
    for pattern, what in _SIGNS.items():
        if re.search(pattern, page.text):
            raise _blocked_error(what)
    if "did not match any" in page.text:
        return PageResults([])
    what = "thumbnails only" if has_only_thumbnails(page.text) else "neither results nor a sign that there are none"
    raise PageChanged(f"Google sent a page with {what}: its layout is unknown.", _OTHER_WAYS, page.text)


def _blocked_error(what: str) -> Blocked:
    return Blocked(f"Google {what} instead of results.", _OTHER_WAYS)
