"""The base of the open archives of the test Internet: responses in JSON, and their failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from tests.internet.catalogue import ResultList
from tests.internet.proxy_server import Answer
from tests.internet.search import SearchService

if TYPE_CHECKING:
    from tests.internet.catalogue import Listing
    from tests.internet.proxy_server import Request

# The licences of listings, by Flickr's numbers; a missing number is all rights reserved.
TERMS = {1: "by-nc-sa", 2: "by-nc", 3: "by-nc-nd", 4: "by", 5: "by-sa", 6: "by-nd", 9: "cc0", 10: "pdm"}
MADE_BY_HOST = {"plain", "expired", "misnamed", "selfsigned", "nowhere"}


class Archive(SearchService):
    """A service that answers in JSON; every request counts as a search, also those for a name."""

    renamed: ClassVar[str]  # the field that is missing in the `changed` mode
    modes: ClassVar[dict[str, str]] = {
        "blocked": "a page of its firewall instead of an answer: HTTP 403",
        "barren": "no results, whatever was added",
        "changed": "the results, under an unknown field name",
        "html": "an HTML page where JSON should be",
        "cut": "JSON that stops in the middle",
        "nested": "JSON a hundred thousand brackets deep",
        "numbers": "a list of numbers where objects should be",
    }

    def page(self, request: Request, result_list: ResultList, mode: str, wait: float) -> Answer:
        """Answer a request according to the mode."""
        if mode in ODD:
            return ODD[mode]
        answer = self.reply(request, ResultList(result_list.query, ()) if mode == "barren" else result_list)
        if isinstance(answer, Answer):
            return answer
        text = json.dumps(answer)
        if mode == "changed":
            text = text.replace(f'"{self.renamed}":', '"hits":')
        return Answer((text[: len(text) // 2] if mode == "cut" else text).encode(), kind="application/json", wait=wait)

    def reply(self, request: Request, result_list: ResultList) -> dict[str, Any] | Answer:
        """Return the response to the request."""
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
