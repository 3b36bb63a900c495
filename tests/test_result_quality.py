"""Degraded search results are detected."""

from __future__ import annotations

import pytest

from harvest.harvesting.result_quality import MIN_HITS, Relevance, query_words
from harvest.models import Hit


def _hit(title: str, number: int = 0) -> Hit:
    return Hit(f"https://pictures.example/{number}.jpg", "BING", f"x{number}", title=title)


@pytest.mark.parametrize(("related", "low"), [(0, True), (2, True), (4, False), (20, False)])
def test_fewer_than_a_fifth_is_low(related, low):
    """Fewer than a fifth of the hits sharing a word with the query is low."""
    relevance = Relevance("micrurus tener -king")
    for number in range(20):
        relevance.see(_hit("A Micrurus" if number < related else "colour chart", number))

    assert relevance.is_low is low


def test_few_hits_say_nothing():
    """A handful of unrelated hits may be chance."""
    relevance = Relevance("micrurus")
    for number in range(MIN_HITS - 1):
        relevance.see(_hit("colour chart", number))

    assert not relevance.is_low


def test_excluded_words_do_not_count():
    """A word after a minus, quoted or not, is not expected in a result; nor is an operator."""
    assert query_words('coral -king -"scarlet snake" site:zoo.example') == {"coral"}


def test_a_query_without_words_is_never_low():
    """A query of signs alone cannot be judged."""
    relevance = Relevance("++ ??")
    for number in range(20):
        relevance.see(_hit("anything", number))

    assert not relevance.is_low


def test_words_of_every_script_count():
    """A word of a script without spaces is found within the text."""
    relevance = Relevance("珊瑚蛇")
    for number in range(20):
        relevance.see(_hit("美丽的珊瑚蛇图片", number))

    assert not relevance.is_low
