"""Remove keys from text before it is printed, logged or stored.

`redact` removes them from URLs that harvest makes, by the names of their parameters. `Secrets` removes known
values from the responses of a server: every search page passes through it where it is read, so that no message,
log line, saved page or record in the ledger can contain a key that a server repeats.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NAMES = r"[\w.-]*(?:key(?!word)|token|secret|sig(?:nature)?(?=[=])|password|passwd|auth)[\w.-]*"
_PARAMETER = re.compile(rf"(?i)(?<=[?&;])({_NAMES})=[^&;#\s]*")
_USER = re.compile(r"(?<=://)[^/?#@\s]*@")


def redact(url: str) -> str:
    """Return a URL, or a text with URLs, without keys, tokens, signatures and passwords.

    >>> redact("https://me:pw@api.example.org/rest?api_key=0123&text=king&api_sig=99#top")
    'https://api.example.org/rest?api_key=…&text=king&api_sig=…#top'
    >>> redact("https://example.org/?keywords=a+monkey&q=token")
    'https://example.org/?keywords=a+monkey&q=token'
    """
    return _PARAMETER.sub(r"\1=…", _USER.sub("", url))


HIDDEN = "…"
_MIN_LENGTH = 6  # characters; no key is shorter, and hiding shorter values would damage the page
# Names of parameters, without punctuation. Not a pattern: GBIF's `taxonKey` is not a secret.
_SECRET_PARAMETERS = frozenset(
    {
        *("key", "apikey", "accesskey", "password", "secret", "sig", "signature", "token"),
        *("accesstoken", "apisig", "apitoken", "authtoken", "clientid", "clientsecret"),
        *("oauthconsumerkey", "oauthsignature", "oauthtoken"),
    }
)
_SECRET_HEADER = re.compile(r"(?i)auth|key|token|secret|password|signature")
_QUOTED = re.compile(r'([\w.-]+)="([^"]*)"')


class Secrets:
    r"""Values to hide in texts, in every form in which a server may repeat them.

    >>> Secrets(["s3cret/key"]).hide(r"bad key s3cret/key, s3cret%2Fkey, s3cret\/key or s3cret&#x2F;key")
    'bad key …, …, … or …'
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(value for value in map(str.strip, values) if len(value) >= _MIN_LENGTH)
        longest_first = sorted(self._values, key=lambda value: (-len(value), value))
        self._patterns = [re.compile("".join(map(_forms, value))) for value in longest_first]

    def with_sent(self, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Secrets:
        """Return these secrets and those of a request: a server can repeat no others."""
        return Secrets({*self._values, *_sent_secrets(url, headers, form or {})})

    def hide(self, text: str) -> str:
        """Return a text with each secret replaced, also where it is URL-encoded or escaped."""
        for pattern in self._patterns:
            text = pattern.sub(HIDDEN, text)
        return text


def _sent_secrets(url: str, headers: Mapping[str, str], form: Mapping[str, str]) -> Iterator[str]:
    for name, value in (*parse_qsl(urlsplit(url).query), *form.items()):
        if _is_secret(name):
            yield value
    for name, value in headers.items():
        if _SECRET_HEADER.search(name):
            yield value
            yield value.partition(" ")[2]  # after the scheme: "Bearer", "Basic", "OAuth"
            yield from (unquote(part) for name, part in _QUOTED.findall(value) if _is_secret(name))


def _is_secret(parameter: str) -> bool:
    return re.sub(r"[\W_]", "", parameter).lower() in _SECRET_PARAMETERS


def _forms(letter: str) -> str:
    """Return a pattern for a letter: as it is, and as URLs, JSON, JavaScript and HTML may escape it."""
    code = ord(letter)
    encoded = "".join(f"%(?:25)?{byte:02x}" for byte in letter.encode())
    numbers = rf"\\u{code:04x}|\\x{code:02x}|&\#0{{0,6}}{code};|&\#x0{{0,6}}{code:x};"
    named = re.escape(html.escape(letter))
    escaped = rf"|\\{re.escape(letter)}" if letter in "\"'/\\" else ""
    return rf"(?:{re.escape(letter)}|(?i:{encoded}|{numbers})|{named}{escaped})"
