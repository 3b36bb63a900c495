"""Measure how far search results match their query: some engines serve automated clients unrelated results.

A word that nearly every result has says little: "red" is in colour charts as well as in red apples. So a hit must
contain half of the query's words, and half of their weight, which is how rare they are among the hits of the other
queries of the run. Measured:

recorded answer                              hits with any word   hits that match
Bing, red apple fruit, 2026-09 (colour charts)     5 of 5             0 of 5
Bing, golang gopher, 2026-04                       6 of 6             6 of 6
Google Custom Search, dog, 2018                   10 of 10           10 of 10
saved Google page, flower, 2022                    8 of 8             8 of 8
saved Google page, cat, 2024                       8 of 8             8 of 8
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from harvest.queries import negative_terms_and_phrases

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harvest.models import Hit

MIN_HITS = 5  # with fewer, a low share may be chance
MIN_SHARE = 0.2  # of the hits
ENOUGH_WORDS = 2  # of a long query: no result has all the words of a sentence


def query_words(query: str) -> frozenset[str]:
    """Return the words of a query that a result is expected to contain.

    >>> sorted(query_words('"g&l" asat -bass site:example.org'))
    ['asat', 'g', 'l']
    """
    plain = negative_terms_and_phrases.without_operators(negative_terms_and_phrases.without_negative_terms(query))
    return frozenset(negative_terms_and_phrases.split_words(plain.casefold()))


def hit_text(hit: Hit) -> str:
    """Return the text in which the words of a query are expected: the title, page and URL of a hit."""
    return unquote(" ".join((hit.title or "", hit.page or "", hit.url))).casefold()


@dataclass
class WordCounts:
    """Counts in how many hits each word of a vocabulary occurs."""

    vocabulary: frozenset[str]
    hits: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Count the words in the text of one hit."""
        self.hits += 1
        self._counts.update(self.vocabulary.intersection(negative_terms_and_phrases.split_words(text)))

    def weigh(self, word: str, without: WordCounts) -> float:
        """Return how rare a word is, leaving out the hits of `without`; the same for every word if there are no others.

        >>> counts, own = WordCounts(frozenset({"king", "snake"})), WordCounts(frozenset())
        >>> for _ in range(9):
        ...     counts.add("a coral snake")
        >>> counts.weigh("king", own) > 5 * counts.weigh("snake", own)
        True
        """
        others = self._counts[word] - without._counts[word]
        return -math.log((others + 1) / (self.hits - without.hits + 2))


class Relevance:
    """Counts how many hits of a search match its query; `all_counts` are the words of all the searches."""

    def __init__(self, query: str, all_counts: WordCounts | None = None) -> None:
        self.query = query
        self._asked = query_words(query)
        self._all = all_counts or WordCounts(self._asked)
        self._own = WordCounts(self._asked)
        self._found: Counter[frozenset[str]] = Counter()  # hits by the words of the query that they contain

    def see(self, hit: Hit) -> None:
        """Count one hit. A word also counts within another word: "snake" in "kingsnakes"."""
        text = hit_text(hit)
        self._own.add(text)
        self._all.add(text)
        self._found[frozenset(word for word in self._asked if word in text)] += 1

    @property
    def related(self) -> int:
        """How many hits contain enough of the query's words, by their number and by their weight."""
        weights = {word: self._all.weigh(word, self._own) for word in self._asked}
        equal = dict.fromkeys(self._asked, 1.0)
        matching = (found for found in self._found if _is_enough(found, weights) and _is_enough(found, equal))
        return sum(self._found[found] for found in matching)

    @property
    def is_low(self) -> bool:
        """Whether too few hits match the query for it to be chance."""
        return bool(self._asked) and self._own.hits >= MIN_HITS and self.related < MIN_SHARE * self._own.hits

    def __str__(self) -> str:
        """Return the count as text."""
        return f"{self.related} of {self._own.hits}"


def _is_enough(found: frozenset[str], weights: Mapping[str, float]) -> bool:
    """Return whether words have half of the weight, or that of the heaviest words which are enough for a long query."""
    heaviest = sorted(weights.values(), reverse=True)[:ENOUGH_WORDS]
    return sum(weights[word] for word in found) >= min(sum(weights.values()) / 2, sum(heaviest))


class ResultQuality:
    """Judges the results of one provider, query by query, once all its searches have ended."""

    def __init__(self, queries: Iterable[str]) -> None:
        self._counts = WordCounts(frozenset().union(*map(query_words, queries)))
        self._searches: list[Relevance] = []

    def begin_search(self, query: str) -> Relevance:
        """Return the counts of a new search."""
        self._searches.append(Relevance(query, self._counts))
        return self._searches[-1]

    def low_searches(self) -> Iterator[Relevance]:
        """Yield the searches whose results have little to do with their query."""
        return (search for search in self._searches if search.is_low)
