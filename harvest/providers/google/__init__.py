"""Google Images, in the best of four ways that the person who runs us has.

saved    pages of Google Images saved in one's own browser (`--google-pages FOLDER`): no key, no disguise
cse      Custom Search, with GOOGLE_API_KEY and GOOGLE_CSE_ID; Google ends it on 2027-01-01
serpapi  SerpApi, a paid service, with SERPAPI_API_KEY
html     one plain try for whoever has none of these, and an honest error
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harvest.providers.base import Provider
from harvest.providers.google.custom_search import CustomSearch
from harvest.providers.google.live_page import LivePage
from harvest.providers.google.saved_pages import SavedPages
from harvest.providers.google.serpapi import SerpApi

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.web.search_session import SearchSession

_WAYS: tuple[type[Provider], ...] = (SavedPages, CustomSearch, SerpApi)


class Google(Provider):
    """Google Images, through whichever of its ways can be gone here."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "pages you saved, Custom Search or SerpApi; licences unknown"
    by_words: ClassVar = True
    supported_filters: ClassVar = CustomSearch.supported_filters | SerpApi.supported_filters
    variables: ClassVar = (*CustomSearch.variables, *SerpApi.variables)

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._way = _choose(environ)
        self.supported_filters, self.probe = self._way.supported_filters, self._way.probe  # type: ignore[misc] # as the way has it

    def check(self) -> None:
        """Raise `KeyMissing` for half a key, `Unavailable` for saved pages that are not there."""
        self._way.check()

    def is_dependable(self) -> bool:
        """Tell whether there is a way other than the plain try."""
        return not isinstance(self._way, LivePage)

    def notes(self) -> list[str]:
        """Say what is to be known of the way that is gone."""
        return self._way.notes()

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query."""
        return self._way.search(query, pages)


def _choose(environ: Mapping[str, str]) -> Provider:
    """Return the first way that has all it needs, else the first that has a part, else the plain one."""
    for enough in (all, any):
        for way in _WAYS:
            if enough(environ.get(variable, "").strip() for variable in way.variables):
                return way(environ)
    return LivePage(environ)
