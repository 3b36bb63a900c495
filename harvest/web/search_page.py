"""A search page as it came, and its JSON where it is some."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping  # noqa: TC003 - a dataclass is read at run time
from dataclasses import dataclass, field
from typing import Any

from harvest.errors import PageChanged

_DEEPEST = 64  # real answers have ten levels
_CHARSET = re.compile(rb"""(?i)charset\s*=\s*["']?([\w.:-]{1,40})""")
_CHARSETS = re.compile(  # the text encodings of the web; Python knows others, some of them ways to attack
    r"(?i)utf-?8|utf-?16(le|be)?|us-ascii|iso-8859-\d+|latin-?1|windows-\d+|cp\d+|shift[_-]jis|euc-(jp|kr)"
    r"|gb2312|gbk|gb18030|big5|koi8-[ru]"
)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The final answer to a request; `url` is the address after redirects. No key is left in any of it."""

    url: str
    status: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def json(self) -> Any:
        """Return the page as JSON, an object or a list; raise `PageChanged` for anything else.

        >>> SearchPage("https://example.org", 200, '{"photos": []}', {}).json()
        {'photos': []}
        """
        try:
            value = json.loads(self.text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise self._page_changed("is not the JSON it used to be") from None
        if not isinstance(value, dict | list):
            raise self._page_changed("is JSON of another kind than it used to be")
        if _is_deeper(value, _DEEPEST):
            raise self._page_changed(f"is JSON of more than {_DEEPEST} levels")
        return value

    def _page_changed(self, what: str) -> PageChanged:
        return PageChanged(f"The answer of {self.url} (HTTP {self.status}) {what}.", page=self.text)


def decode_text(body: bytes, content_type: str) -> str:
    r"""Return the text of a page, in the encoding it says it has, else in UTF-8; never fails.

    >>> decode_text(b"\xfcber", "text/html; charset=ISO-8859-1")
    'über'
    """
    named = _CHARSET.search(content_type.encode("latin-1", "replace"))
    if named is None and "json" not in content_type:
        named = _CHARSET.search(body[:2048])  # where HTML has to say it
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
