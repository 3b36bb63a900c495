"""Addresses fit to be printed: nothing that opens a door stands in them."""

from __future__ import annotations

import re

_NAMES = r"[\w.-]*(?:key(?!word)|token|secret|sig(?:nature)?(?=[=])|password|passwd|auth)[\w.-]*"
_PARAMETER = re.compile(rf"(?i)(?<=[?&;])({_NAMES})=[^&;#\s]*")
_USER = re.compile(r"(?<=://)[^/?#@\s]*@")


def redact(url: str) -> str:
    """Return an address, or a text that holds some, without keys, tokens, signatures and passwords.

    >>> redact("https://me:pw@api.example.org/rest?api_key=0123&text=king&api_sig=99#top")
    'https://api.example.org/rest?api_key=…&text=king&api_sig=…#top'
    >>> redact("https://example.org/?keywords=a+monkey&q=token")
    'https://example.org/?keywords=a+monkey&q=token'
    """
    return _PARAMETER.sub(r"\1=…", _USER.sub("", url))
