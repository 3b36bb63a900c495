"""Image hosts of many domains: those of the small Internet are all of one domain, which has one worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing
    from tests.web import Internet, ResultList

_ENDING = "site.test"


def list_on_many_domains(internet: Internet, name: str, count: int, **kinds: Any) -> ResultList:
    """Put images on hosts with a domain each; see `Catalogue.add_results` for their kinds."""
    internet._domains[_ENDING] = internet._picture

    def address(listing: Listing) -> str:
        return listing.url.replace(".pictures.test", _ENDING)  # img3.pictures.test: img3site.test

    return internet.addresses(count, name, address=address, **kinds)
