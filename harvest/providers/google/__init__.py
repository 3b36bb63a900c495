"""Google Images, through the first of five backends that is configured.

SavedPages    pages of Google Images saved in the user's browser (`--google-pages FOLDER`): no key, no disguise
CustomSearch  with GOOGLE_API_KEY and GOOGLE_CSE_ID; Google ends it on 2027-01-01
SerpApi       a paid service, with SERPAPI_API_KEY
Serper        a paid service, with SERPER_API_KEY
LivePage      one plain request without any of these, and an error that names the other ways
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harvest.providers.base import Provider
from harvest.providers.google.custom_search import CustomSearch
from harvest.providers.google.live_page import LivePage
from harvest.providers.google.saved_pages import SavedPages
from harvest.providers.google.serpapi import SerpApi
from harvest.providers.google.serper import Serper

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harvest.models import Hit, Query
    from harvest.web.request_search_pages import SearchSession

_BACKENDS: tuple[type[Provider], ...] = (SavedPages, CustomSearch, SerpApi, Serper)


class Google(Provider):
    """Google Images, through the first backend that is configured."""

    name: ClassVar = "GOOGLE"
    label: ClassVar = "Google"
    about: ClassVar = "pages you saved, Custom Search, SerpApi or Serper; licences unknown"
    by_words: ClassVar = True
    supported_filters: ClassVar = CustomSearch.supported_filters | SerpApi.supported_filters | Serper.supported_filters
    variables: ClassVar = (*CustomSearch.variables, *SerpApi.variables, *Serper.variables)

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self._backend = _choose(environ)
        self.supported_filters, self.probe = self._backend.supported_filters, self._backend.probe  # type: ignore[misc] # those of the backend

    def check(self) -> None:
        """Raise `KeyMissing` for an incomplete key, `Unavailable` for missing saved pages."""
        self._backend.check()

    def is_dependable(self) -> bool:
        """Return whether a backend other than `LivePage` is configured."""
        return not isinstance(self._backend, LivePage)

    def notes(self) -> list[str]:
        """Return the notes of the backend."""
        return self._backend.notes()

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:
        """Yield the hits of a query."""
        return self._backend.search(query, pages)


def _choose(environ: Mapping[str, str]) -> Provider:
    """Return the first backend with all its variables set, else the first with some of them, else `LivePage`."""
    for condition in (all, any):
        for backend_type in _BACKENDS:
            if condition(environ.get(variable, "").strip() for variable in backend_type.variables):
                return backend_type(environ)
    return LivePage(environ)
