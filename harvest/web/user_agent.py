"""The User-Agent that is sent to servers, and the contact in it, which Wikimedia asks for."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "classharvest"
try:
    USER_AGENT = f"{NAME}/{metadata.version(NAME)}"
except metadata.PackageNotFoundError:  # run from a checkout that is not installed
    USER_AGENT = NAME

CONTACT_VARIABLE = "HARVEST_CONTACT"
# No parentheses, because the contact is sent within parentheses.
_REACHABLE = re.compile(r"[!-'*-~]+@[!-'*-~]+\.[!-'*-~]+|https?://[!-'*-~]+\.[!-'*-~]+")
# The sites of Wikimedia: each shows images, or redirects to `upload.wikimedia.org`.
_WIKIMEDIA = re.compile(
    r"(?:.+\.)?(?:wikimedia|wikipedia|wikidata|wiktionary|wikibooks|wikinews|wikiquote|wikisource|wikiversity"
    r"|wikivoyage|wikifunctions|mediawiki|wikimediafoundation)\.org\.?"
)
_NO_CONTACT = (
    "Wikimedia asks programs for a contact address and may refuse their downloads without one, so its images are "
    f"requested slowly. Pass --contact you@example.org, or run: harvest keys set {CONTACT_VARIABLE}"
)


def is_wikimedia(host: str) -> bool:
    """Return whether a host belongs to Wikimedia.

    >>> [is_wikimedia(host) for host in ("upload.wikimedia.org", "en.wikipedia.org", "wikimedia.org.example.org")]
    [True, True, False]
    """
    return _WIKIMEDIA.fullmatch(host.lower()) is not None


def is_contact(text: str) -> bool:
    """Return whether a text is an e-mail or web address that can be sent in a User-Agent.

    >>> is_contact("ada@example.org"), is_contact("https://example.org/me"), is_contact("ada"), is_contact("a@b.c)")
    (True, True, False, False)
    """
    return _REACHABLE.fullmatch(text) is not None


def identify(contact: str) -> str:
    """Return the User-Agent with a contact, in the form that Wikimedia's policy asks for."""
    return f"{USER_AGENT} ({contact})"


class UserAgents:
    """Chooses the User-Agent of each request for an image: only the hosts of Wikimedia get the contact.

    `say` gets a message before the first request to Wikimedia without a contact.
    """

    def __init__(self, contact: str, say: Callable[[str], None]) -> None:
        self._contact = contact if is_contact(contact) else ""
        self._say = say
        self._said = False

    @property
    def has_contact(self) -> bool:
        """Whether there is a contact that can be sent."""
        return bool(self._contact)

    def choose(self, host: str) -> str:
        """Return the User-Agent for a host."""
        if not is_wikimedia(host):
            return USER_AGENT
        if self._contact:
            return identify(self._contact)
        if not self._said:
            self._said = True
            self._say(_NO_CONTACT)
        return USER_AGENT
