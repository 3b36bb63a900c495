"""Find pictures of one class whose pages name another class."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from harvest.queries import negative_terms_and_phrases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harvest.ledger.statistics import SourceText


class PageText(NamedTuple):
    """A picture on disk, and the text of its sources."""

    id: int
    class_name: str
    name: str
    text: str


class PageMismatch(NamedTuple):
    """A picture that may belong to another class."""

    id: int
    class_name: str
    name: str
    other: str


def class_phrases(class_name: str, queries: Iterable[str]) -> set[str]:
    """Return the phrases that name a class in a text: its own name and the search terms.

    >>> sorted(class_phrases("king_snake", ["scarlet king snake", '"king snake" -coral']))
    ['king snake', 'scarlet king snake']
    """
    texts = (class_name, *(negative_terms_and_phrases.without_negative_terms(query) for query in queries))
    return {" ".join(words) for text in texts if (words := negative_terms_and_phrases.split_words(_plain(text)))}


def find_page_mismatches(pictures: Iterable[PageText], words: Mapping[str, Collection[str]]) -> Iterator[PageMismatch]:
    """Yield the pictures whose text names another class and not their own.

    >>> page = PageText(1, "coral", "bing-1.jpg", "Scarlet kingsnake, https://example.com/a.jpg")
    >>> [suspect.other for suspect in find_page_mismatches([page], {"coral": ["coral snake"], "king": ["king snake"]})]
    ['king']
    """
    classes = _Names(words)
    for picture in pictures:
        named = classes.in_text(picture.text)
        if named and picture.class_name not in named:
            yield PageMismatch(picture.id, picture.class_name, picture.name, min(named))


_FEW = 60  # names: with more, it takes less time to look the words of a text up


def may_name_another_class(texts: Iterable[SourceText], words: Mapping[str, Collection[str]]) -> Iterator[int]:
    """Yield the pictures with a source that may name another class; `find_page_mismatches` decides about these few.

    Whether the letters of a name occur in a text at all takes a fifth of the time of looking for its words.
    """
    squeezed = {name: {_squeeze(text) for text in words[name]} - {""} for name in words}
    all_names = {text for each in squeezed.values() for text in each}
    if len(all_names) > _FEW:
        classes = _Names(words)
        yield from (each.picture for each in texts if classes.in_text(each.text) - {each.class_name})
        return
    others = {name: all_names - own for name, own in squeezed.items()}
    for picture, class_name, text in texts:
        found = _squeeze(text)
        for name in others.get(class_name, all_names):
            if name in found:
                yield picture
                break


class _Names:
    """Finds the classes that a text names, in whole words, with or without spaces, also in the plural."""

    def __init__(self, words: Mapping[str, Collection[str]]) -> None:
        self._classes: dict[str, set[str]] = {}
        for name, texts in words.items():
            for text in texts:
                for ending in ("", "s", "es"):
                    self._classes.setdefault("".join(text.split()) + ending, set()).add(name)
        self._starts = {name[:end] for name in self._classes for end in range(1, len(name) + 1)}

    def in_text(self, text: str) -> set[str]:
        words = negative_terms_and_phrases.split_words(_plain(unquote(text)))
        named: set[str] = set()
        for start in range(len(words)):
            joined = ""
            for word in words[start:]:
                joined += word
                if joined not in self._starts:
                    break
                named |= self._classes.get(joined, set())
        return named


def _squeeze(text: str) -> str:
    """Return the letters and digits of a text, without what is between them."""
    text = unquote(text) if "%" in text else text
    if text.isascii():  # as bytes, in an eighth of the time
        return text.encode().translate(_LOWER, _BETWEEN_WORDS).decode()
    return "".join(negative_terms_and_phrases.split_words(_plain(text)))


_LOWER = bytes(range(128)).lower() + bytes(range(128, 256))
_BETWEEN_WORDS = bytes(code for code in range(128) if not chr(code).isalnum())


def _plain(text: str) -> str:
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text).casefold()
