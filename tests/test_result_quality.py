"""Degraded search results are detected."""

from __future__ import annotations

import pytest

from harvest.harvesting.detect_unrelated_results import MIN_HITS, Relevance, ResultQuality, query_words
from harvest.models import Hit
from harvest.providers import bing
from harvest.providers.google import custom_search, result_page
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import RECORDINGS


def _hit(title: str, number: int = 0) -> Hit:
    return Hit(f"https://pictures.example/{number}.jpg", "BING", f"x{number}", title=title)


@pytest.mark.parametrize(("related", "low"), [(0, True), (2, True), (4, False), (20, False)])
def test_fewer_than_a_fifth_is_low(related, low):
    """Fewer than a fifth of the hits matching the query is low."""
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


CHARTS = [
    "120 Shades of Red (names, HEX and RGB)",
    "Dark red colour types",
    "Red hex codes",
    "Red Rider, a film",
    "Solid dark red background",
]


@pytest.mark.parametrize(
    ("query", "titles", "related"),
    [
        ("red apple fruit", CHARTS, 0),
        ("red apple fruit", ["A red apple", "Apple (fruit)", "Fruits and apples", "Redapple", "Apple red"], 5),
        ("golden hat", ["Golden", "Hats", "golden hat", "A wedding", "Gold"], 3),
        ("a small brown dog that sits on green grass", ["Small brown dog", "Dog on grass", *CHARTS], 2),
    ],
)
def test_one_word_of_several_is_not_a_match(query, titles, related):
    """A hit must contain half of the words of its query, but no more than two of a long one."""
    relevance = Relevance(query)
    for number, title in enumerate(titles):
        relevance.see(_hit(title, number))

    assert relevance.related == related
    assert relevance.is_low is (related == 0)


def _judge(searches: dict[str, list[str]]) -> list[str]:
    """Return the queries of one provider whose hits have little to do with them."""
    quality = ResultQuality(searches)
    for query, titles in searches.items():
        relevance = quality.begin_search(query)
        for number, title in enumerate(titles):
            relevance.see(_hit(title, number))
    return [search.query for search in quality.low_searches()]


def test_a_word_that_the_other_queries_share_says_little():
    """Where other queries find "cat" everywhere, cats of any kind are no answer for one breed, asked first or last."""
    honest = {f"{breed} cat": [f"A {breed} cat"] * 20 for breed in ("persian", "sphynx", "manx")}
    memes = ["A funny cat"] * 20

    assert not Relevance("siamese cat").is_low
    assert _judge({"siamese cat": memes, **honest}) == _judge({**honest, "siamese cat": memes}) == ["siamese cat"]
    assert _judge({"siamese cat": ["Siamese cat"] * 5 + memes[:15], **honest}) == []


def test_the_right_word_for_the_wrong_thing_is_low():
    """Colour charts are not red apples, even if every other query finds apples and fruits."""
    others = {f"{colour} apple fruit": [f"{colour} apple fruit"] * 9 for colour in ("green", "yellow", "pink")}

    assert _judge({"red apple fruit": CHARTS, **others}) == ["red apple fruit"]


RECORDED = {
    "golang gopher": ("bing/images_search_2026-04.html", bing.parse),
    "dog": ("google/custom_search_2018.json", custom_search.parse),
    "flower": ("google/saved_page_2022-02.html", lambda page: result_page.parse_results(page.text)),
    "cat": ("google/saved_page_2024-08.html", lambda page: result_page.parse_results(page.text)),
}


def _recorded(query: str) -> list[Hit]:
    name, parse = RECORDED[query]
    if not (RECORDINGS / name).exists():
        pytest.skip(f"no recording {name}")
    address = "https://www.bing.com/images/async?first=1"
    found = parse(SearchPage(address, 200, (RECORDINGS / name).read_text("utf-8"), {}))
    return found if isinstance(found, list) else found.hits


@pytest.mark.parametrize("query", RECORDED)
def test_the_recorded_answers_match_their_queries(query):
    """No real answer is low for its own query, alone or together with the others; every one is low for another."""
    alone, quality = Relevance(query), ResultQuality(RECORDED)
    for hit in _recorded(query):
        alone.see(hit)
    for each in RECORDED:
        relevance = quality.begin_search(each)
        for hit in _recorded(each):
            relevance.see(hit)
    assert not alone.is_low
    assert not list(quality.low_searches())

    other = Relevance("red apple fruit")
    for hit in _recorded(query):
        other.see(hit)
    assert other.is_low
