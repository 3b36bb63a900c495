"""What the open archives of the small Internet share: answers in JSON, and how they go wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.catalogue import Shelf
from tests.internet.proxy_server import Answer
from tests.internet.search import SearchService

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing
    from tests.internet.proxy_server import Request

# The licences of listings, by Flickr's numbers; none is all rights reserved.
TERMS = {1: "by-nc-sa", 2: "by-nc", 3: "by-nc-nd", 4: "by", 5: "by-sa", 6: "by-nd", 9: "cc0", 10: "pdm"}
MADE_BY_HOST = {"plain", "expired", "misnamed", "selfsigned", "nowhere"}


class Archive(SearchService):
    """A service that answers in JSON; every request to it counts as a search, those for a name too."""

    renamed: ClassVar[str]  # the name that a changed answer no longer has
    moods: ClassVar[dict[str, str]] = {
        "blocked": "a page of its firewall instead of an answer: HTTP 403",
        "barren": "has nothing, whatever is on the shelf",
        "changed": "the results are there, under a name nobody has seen before",
        "html": "an HTML page where JSON should be",
        "cut": "JSON that stops in the middle",
        "nested": "JSON a hundred thousand brackets deep",
        "numbers": "a list of numbers where objects should be",
    }

    def page(self, request: Request, shelf: Shelf, mood: str, wait: float) -> Answer:
        """Answer a request, in a way that fits the mood."""
        if mood in ODD:
            return ODD[mood]
        answer = self.reply(request, Shelf(shelf.query, ()) if mood == "barren" else shelf)
        if isinstance(answer, Answer):
            return answer
        text = json.dumps(answer)
        if mood == "changed":
            text = text.replace(f'"{self.renamed}":', '"hits":')
        return Answer((text[: len(text) // 2] if mood == "cut" else text).encode(), kind="application/json", wait=wait)

    def reply(self, request: Request, shelf: Shelf) -> dict[str, Any] | Answer:
        """Give what the request asks for."""
        raise NotImplementedError


def owned(listing: Listing) -> str:
    """Return a listing's name on a host that is its archive's own, where its behaviour cannot be the host's."""
    if listing.behaviour in MADE_BY_HOST:
        raise ValueError(f"an archive's own hosts cannot be {listing.behaviour}")
    return f"{listing.id:09}"


def refused(status: int, **words: Any) -> Answer:
    """Return a refusal in JSON."""
    return Answer(json.dumps(words).encode(), status=status, kind="application/json")


ODD = {
    "blocked": Answer(b"<!DOCTYPE html><title>Attention</title><h1>You have been blocked</h1>", status=403),
    "html": Answer(b"<!DOCTYPE html><title>Archive</title><p>We will be back."),
    "nested": Answer(b"[" * 100_000 + b"]" * 100_000, kind="application/json"),
    "numbers": Answer(b'{"results": [1, 2], "query": {"pages": [1, 2]}}', kind="application/json"),
}
