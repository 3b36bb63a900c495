"""The search syntax of a query: negative terms, quoted phrases, field operators.

    micrurus -king -"scarlet snake" "coral snake" site:example.org

Queries reach the search engines as written. Everything in the program that has to know what a query asks for,
and what it excludes, uses these functions, so that all parts keep and drop the same words.
"""

from __future__ import annotations

import re
import unicodedata

from harvest.files.check_names_and_cells import check_component

# A minus at the start of a term: -king, -"king snake". An unclosed phrase excludes all that follows it.
_NEGATIVE_TERM = re.compile(r'(?<!\S)-(?:"[^"]*"?|[^\s"]\S*)')
_OPERATOR = re.compile(r"\b\w+:\S+")  # site:example.org
_WORD = re.compile(r"[^\W_]+")
_DROPPED = re.compile(r"[^\w.-]")  # by FastClass; but without its marks Hindi or Thai is another word


def without_negative_terms(query: str) -> str:
    """Return a query without the words and phrases it excludes.

    >>> without_negative_terms('micrurus -king -"scarlet snake" tener').split()
    ['micrurus', 'tener']
    >>> without_negative_terms("king-snake -")
    'king-snake -'
    """
    return _NEGATIVE_TERM.sub(" ", query)


def without_operators(query: str) -> str:
    """Return a query without its field operators.

    >>> without_operators("coral snake site:example.org").split()
    ['coral', 'snake']
    """
    return _OPERATOR.sub(" ", query)


def has_unclosed_phrase(query: str) -> bool:
    """Return whether a quote in a query is not closed.

    >>> has_unclosed_phrase('guitar "Flying V'), has_unclosed_phrase('guitar "Flying V"')
    (True, False)
    """
    return query.count('"') % 2 == 1


def plain_text(query: str) -> str:
    """Return the text a query searches for, without quotes and negative terms: for services without search syntax.

    >>> plain_text('"Micrurus tener" -king -"coral reef"')
    'Micrurus tener'
    """
    return " ".join(without_negative_terms(query).replace('"', " ").split())


def split_words(text: str) -> list[str]:
    """Return the words of a text: runs of letters and digits.

    >>> split_words("king_snake, g&l")
    ['king', 'snake', 'g', 'l']
    """
    return _WORD.findall(text)


def derive_class_name(query: str, exclude: str = "") -> str:
    """Return FastClass's folder name for a query, without the words of `exclude` and without negative terms.

    >>> derive_class_name('guitar gibson "Flying V"', exclude="guitar")
    'gibson_Flying_V'
    >>> derive_class_name('"g&l" asat'), derive_class_name("micrurus tener -king")
    ('gandl_asat', 'micrurus_tener')
    """
    terms = without_negative_terms(unicodedata.normalize("NFC", query)).split()
    words = [_folder_word(term) for term in terms]
    excluded = {_folder_word(word).casefold() for word in exclude.split()}
    return check_component("_".join(word for word in words if word and word.casefold() not in excluded))


def _folder_word(term: str) -> str:
    return _DROPPED.sub(_keep_marks, term.replace("&", "and"))


def _keep_marks(dropped: re.Match[str]) -> str:
    return dropped[0] if unicodedata.category(dropped[0]).startswith("M") else ""
