"""The base of all providers: the filter for new hits, keys, and membership in `ALL`."""

from __future__ import annotations

import pytest

from harvest import photo_keys
from harvest.errors import KeyMissing
from harvest.models import Hit
from harvest.providers import Key, NewHits, Provider

PIN = "ab/cd/ef/abcdef0123456789abcdef0123456789.jpg"
SMALL, LARGE, BETWEEN = (f"https://i.pinimg.com/{size}/{PIN}" for size in ("236x", "originals", "736x"))


class Keyed(Provider):
    """A provider that needs a key."""

    name = "KEYED"
    label = "Keyed"
    about = "needs a key"
    key = Key("KEYED_KEY", "https://keyed.example", "It costs nothing", also=("KEYED_API_KEY",))

    def search(self, query, pages):  # noqa: ARG002 - the seam's form
        """Find nothing."""
        yield from ()


def hit(url, **values):
    return Hit(url, "BING", photo_keys.source_key(url), **values)


def test_V06_the_largest_rendition_comes_first():
    """For a hit that is a thumbnail, the full image is tried first, then the thumbnail."""
    (found,) = NewHits(10).filter_new([[hit(SMALL, width=236, height=314)]])
    assert (found.url, found.others) == (LARGE, (BETWEEN, SMALL))


def test_V06_the_size_of_a_thumbnail_is_not_the_size_of_its_picture():
    """The size of a thumbnail is not taken as that of the image; other hits keep their size."""
    (small, plain) = NewHits(10).filter_new(
        [[hit(SMALL, width=236, height=314), hit("https://a.example/1.jpg", width=9, height=8)]]
    )
    assert (small.width, small.height) == (None, None)
    assert (plain.width, plain.height) == (9, 8)


def test_V06_renditions_that_the_source_names_come_after():
    """Smaller renditions listed by the source come last, and no URL is listed twice."""
    (found,) = NewHits(10).filter_new([[hit(SMALL, others=(BETWEEN, "https://mm.example/th"))]])
    assert (found.url, found.others) == (LARGE, (BETWEEN, SMALL, "https://mm.example/th"))


def test_a_source_that_names_every_size_is_believed():
    """If the source lists all sizes, no other URL is derived."""
    (found,) = NewHits(10, enlarge=False).filter_new([[hit(SMALL, width=236)]])
    assert (found.url, found.others, found.width) == (SMALL, (), 236)


def test_V06_renditions_of_one_photograph_are_one_hit():
    """Two sizes of one photo give one hit, ranked in order with the others."""
    hits = NewHits(10).filter_new([[hit(SMALL), hit("https://a.example/1.jpg"), hit(LARGE)]])
    assert [(found.rank, found.url) for found in hits] == [(1, LARGE), (2, "https://a.example/1.jpg")]


@pytest.mark.parametrize("variable", ["KEYED_KEY", "KEYED_API_KEY"])
def test_a_key_is_read_from_any_of_its_variables(variable):
    """A key is also read from the variables that other programs use."""
    Keyed({variable: "k"}).check()


def test_V04_a_missing_key_says_how_to_get_and_keep_one():
    """The message names the variable; the hint says where to get a key and how to store it."""
    with pytest.raises(KeyMissing) as caught:
        Keyed({}).check()
    assert caught.value.message == "Keyed needs an API key, in the variable KEYED_KEY."
    assert caught.value.hint.splitlines() == [
        "Get one at https://keyed.example and run: harvest keys set keyed",
        "It costs nothing.",
        "Or leave Keyed out and choose others with -c.",
    ]
