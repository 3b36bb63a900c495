"""Measure how far search results match their query: some engines serve automated clients unrelated results."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from harvest.queries import query_syntax

if TYPE_CHECKING:
    from harvest.models import Hit

MIN_HITS = 10  # with fewer, a low share may be chance
MIN_SHARE = 0.2  # of the hits; ordinary result pages have 60 % and more


def query_words(query: str) -> frozenset[str]:
    """Return the words of a query that a result is expected to contain.

    >>> sorted(query_words('"g&l" asat -bass site:example.org'))
    ['asat', 'g', 'l']
    """
    plain = query_syntax.without_operators(query_syntax.without_negative_terms(query))
    return frozenset(query_syntax.split_words(plain.casefold()))


def is_related(asked: frozenset[str], hit: Hit) -> bool:
    """Return whether the title, page or URL of a hit contains a word of the query, also within another word.

    >>> from harvest.models import Hit
    >>> is_related(frozenset({"snake"}), Hit("https://a.example/kingsnakes.jpg", "BING", ""))
    True
    """
    text = unquote(" ".join((hit.title or "", hit.page or "", hit.url))).casefold()
    return any(word in text for word in asked)


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
        """Whether too few hits match the query for it to be chance."""
        return bool(self._asked) and self._hits >= MIN_HITS and self._related < MIN_SHARE * self._hits

    def __str__(self) -> str:
        """Return the count as text."""
        return f"{self._related} of {self._hits}"
