"""The response of a search engine: a page, as text and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping  # noqa: TC003 - a dataclass is read at run time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from harvest.errors import PageChanged

_MAX_DEPTH = 64  # real responses have ten levels
_MAX_EXCERPT = 300  # characters of an error that a message shows
_CHARSET = re.compile(rb"""(?i)charset\s*=\s*["']?([\w.:-]{1,40})""")
_CHARSETS = re.compile(  # the text encodings of the web; some of Python's others can be used for attacks
    r"(?i)utf-?8|utf-?16(le|be)?|us-ascii|iso-8859-\d+|latin-?1|windows-\d+|cp\d+|shift[_-]jis|euc-(jp|kr)"
    r"|gb2312|gbk|gb18030|big5|koi8-[ru]"
)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The final response to a request; `url` is the URL after redirects. Keys are removed from every field."""

    url: str
    status: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def json(self) -> Any:
        """Parse the page as a JSON object or list; raise `PageChanged` for anything else.

        >>> SearchPage("https://example.org", 200, '{"photos": []}', {}).json()
        {'photos': []}
        """
        try:
            value = json.loads(self.text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise self._page_changed("is not valid JSON") from None
        if not isinstance(value, dict | list):
            raise self._page_changed("is neither a JSON object nor a list")
        if _is_deeper(value, _MAX_DEPTH):
            raise self._page_changed(f"is JSON with more than {_MAX_DEPTH} levels")
        return value

    def _page_changed(self, what: str) -> PageChanged:
        if self.status >= HTTPStatus.BAD_REQUEST and (text := self._plain_text()):
            return PageChanged(f"{self.url} answers HTTP {self.status}: {text}", page=self.text)
        return PageChanged(f"The response of {self.url} (HTTP {self.status}) {what}.", page=self.text)

    def _plain_text(self) -> str:
        """Return the beginning of the page in one line, if it is neither HTML nor JSON."""
        begun = self.text[: 2 * _MAX_EXCERPT].lstrip()
        if begun.startswith(("<", "{", "[")):
            return ""
        return " ".join("".join(c if c.isprintable() else " " for c in begun).split())[:_MAX_EXCERPT]


def decode_text(body: bytes, content_type: str) -> str:
    r"""Decode a page in its declared encoding, else in UTF-8; never fails.

    >>> decode_text(b"\xfcber", "text/html; charset=ISO-8859-1")
    'über'
    """
    named = _CHARSET.search(content_type.encode("latin-1", "replace"))
    if named is None and "json" not in content_type:
        named = _CHARSET.search(body[:2048])  # where HTML must declare it
    charset = named[1].decode("ascii") if named else "utf-8"
    if body.startswith(b"\xef\xbb\xbf") or not _CHARSETS.fullmatch(charset):
        charset = "utf-8"
    return body.decode(charset, errors="replace").removeprefix("\ufeff")


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _is_deeper(value: Any, levels: int) -> bool:
    level = [value]
    for _ in range(levels):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True
