"""Pictures found for one class while their pages speak of another."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

_NEGATIVE = re.compile(r'(?<!\S)-(?:"[^"]*"?|\S+)')
_WORD = re.compile(r"[^\W_]+")


class Told(NamedTuple):
    """A picture on disk and what its source says of it."""

    id: int
    class_name: str
    name: str
    text: str


class Suspect(NamedTuple):
    """A picture that may belong to another class."""

    id: int
    class_name: str
    name: str
    other: str


def phrases(class_name: str, queries: Iterable[str]) -> set[str]:
    """Return the words by which a text would name a class: its own name and what was searched for.

    >>> sorted(phrases("king_snake", ["scarlet king snake", '"king snake" -coral']))
    ['king snake', 'scarlet king snake']
    """
    texts = (class_name, *(_NEGATIVE.sub(" ", query) for query in queries))
    return {" ".join(words) for text in texts if (words := _WORD.findall(_plain(text)))}


def suspects(pictures: Iterable[Told], words: Mapping[str, Collection[str]]) -> Iterator[Suspect]:
    """Find the pictures whose words name a class other than their own, and not their own.

    >>> told = Told(1, "coral", "bing-1.jpg", "Scarlet kingsnake, https://example.com/a.jpg")
    >>> [suspect.other for suspect in suspects([told], {"coral": ["coral snake"], "king": ["king snake"]})]
    ['king']
    """
    patterns = {name: _pattern(texts) for name, texts in words.items() if texts}
    for picture in pictures:
        text = _plain(unquote(picture.text))
        named = [name for name, pattern in patterns.items() if pattern.search(text)]
        if named and picture.class_name not in named:
            yield Suspect(picture.id, picture.class_name, picture.name, named[0])


def _pattern(texts: Collection[str]) -> re.Pattern[str]:
    """Match any of the phrases as whole words, written apart, together or in the plural."""
    ways = (r"[\W_]*".join(map(re.escape, text.split())) for text in texts)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(ways)})(?:e?s)?(?![^\W_])")


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
