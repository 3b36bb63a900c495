"""Does an engine still answer the question? Some serve automated clients what has little to do with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from harvest.models import Hit

ENOUGH = 10  # hits before anything can be said
SHARE = 0.2  # of the hits; honest pages have 60 % and more


def query_words(query: str) -> frozenset[str]:
    """Return the words of a query that a result may be expected to name.

    >>> sorted(query_words('"g&l" asat -bass site:example.org'))
    ['asat', 'g', 'l']
    """
    plain = re.sub(r'(?:^|\s)-(?:"[^"]*"|\S+)|\b\w+:\S+', " ", query)
    return frozenset(re.findall(r"[^\W_]+", plain.casefold()))


def is_related(asked: frozenset[str], hit: Hit) -> bool:
    """Tell whether a hit's title, page or address has a word of the query, also within another word.

    >>> from harvest.models import Hit
    >>> is_related(frozenset({"snake"}), Hit("https://a.example/kingsnakes.jpg", "BING", ""))
    True
    """
    told = unquote(" ".join((hit.title or "", hit.page or "", hit.url))).casefold()
    return any(word in told for word in asked)


class Relevance:
    """Counts how many hits of a search share a word with its query."""

    def __init__(self, query: str) -> None:
        self._asked = query_words(query)
        self._hits = self._related = 0

    def see(self, hit: Hit) -> None:
        """Count one hit."""
        self._hits += 1
        self._related += is_related(self._asked, hit)

    @property
    def is_low(self) -> bool:
        """Tell whether too few hits are related for it to be chance."""
        return bool(self._asked) and self._hits >= ENOUGH and self._related < SHARE * self._hits

    def __str__(self) -> str:
        """Give the count in words."""
        return f"{self._related} of {self._hits}"
