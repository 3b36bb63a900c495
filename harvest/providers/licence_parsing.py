"""Parse the licences that sources state, into SPDX ids."""

from __future__ import annotations

import re

from harvest import spdx
from harvest.licences import Evidence, Licence

_CC = "https://creativecommons.org"
_LONGEST = 300  # characters of a licence name; longer texts are descriptions


def creative_commons(terms: str, version: str) -> Licence:
    """Return a Creative Commons licence, as stated by a source.

    >>> creative_commons("by-nc-sa", "2.0").id
    'CC-BY-NC-SA-2.0'
    """
    return stated_licence(f"CC-{terms.upper()}-{version}", f"{_CC}/licenses/{terms}/{version}/")


def stated_licence(identifier: str, url: str) -> Licence:
    """Return a licence, as stated by a source."""
    return Licence(identifier, url, Evidence.STATED)


CC0 = stated_licence("CC0-1.0", f"{_CC}/publicdomain/zero/1.0/")
PUBLIC_DOMAIN_MARK = stated_licence("CC-PDM-1.0", f"{_CC}/publicdomain/mark/1.0/")
PUBLIC_DOMAIN = Licence("LicenseRef-Public-Domain", evidence=Evidence.STATED)  # for any reason
NO_KNOWN_RESTRICTIONS = stated_licence("LicenseRef-No-Known-Restrictions", "https://www.flickr.com/commons/usage/")
ALL_RIGHTS_RESERVED = Licence("LicenseRef-All-Rights-Reserved", evidence=Evidence.STATED)

_ADDRESS = re.compile(
    r"(?:https?:)?//(?:www\.)?creativecommons\.org/(?:licenses/(by[a-z-]*)|publicdomain/(zero|mark))/([0-9.]+)"
    r"(?:/([a-z]{2}|igo))?(?:/(?:(?:deed|legalcode)[\w.-]*/?)?)?(?:[?#].*)?",
    re.ASCII | re.IGNORECASE,
)
_ID = re.compile(r"cc-(by(?:-nc)?(?:-sa|-nd)?)-(1\.0|2\.[015]|3\.0|4\.0)(?:-([a-z]{2}|igo))?")
_FLICKR_COMMONS = re.compile(
    r"(?:https?:)?//(?:www\.)?flickr\.com/commons/usage/?(?:[?#].*)?", re.ASCII | re.IGNORECASE
)
_NAMED = {
    "cc0-1.0": CC0,
    "cc-zero-1.0": CC0,
    "cc-pdm-1.0": PUBLIC_DOMAIN_MARK,
    "cc-mark-1.0": PUBLIC_DOMAIN_MARK,
} | {
    identifier.casefold(): Licence(identifier, evidence=Evidence.STATED)
    for identifier in (
        *("PDDL-1.0", "LAL-1.3", "OGL-UK-3.0", "GFDL-1.2-only", "GFDL-1.2-or-later", "GFDL-1.3-or-later"),
        *("LicenseRef-US-Gov", "LicenseRef-No-Known-Restrictions"),
        *("LicenseRef-Public-Domain", "LicenseRef-All-Rights-Reserved"),
    )
}


def parse_licence(text: str) -> Licence:
    """Parse an SPDX id or the URL of a licence; any other text gives an unknown licence.

    >>> parse_licence("https://creativecommons.org/licenses/by/4.0/deed.en").id, parse_licence("cc-by-sa-2.0").id
    ('CC-BY-4.0', 'CC-BY-SA-2.0')
    >>> parse_licence("Creative Commons").id is None
    True
    """
    text = text.strip()
    if _FLICKR_COMMONS.fullmatch(text):
        return NO_KNOWN_RESTRICTIONS
    if address := _ADDRESS.fullmatch(text):
        text = "-".join(["cc", *filter(None, address.groups())])
    if known := _NAMED.get(text.casefold()):
        return known
    licence = _parse_creative_commons(text.removeprefix(spdx.REFERENCE).casefold())
    is_reference = text.startswith(spdx.REFERENCE)  # as ids are stored that are not on the SPDX list
    return Licence() if is_reference and not str(licence.id).startswith(spdx.REFERENCE) else licence


def _parse_creative_commons(text: str) -> Licence:
    found = _ID.fullmatch(text)
    if found is None:
        return Licence()
    terms, version, country = found.groups()
    if country is None:
        return creative_commons(terms, version)
    # A ported licence is a separate legal text.
    return stated_licence(f"CC-{terms}-{version}-{country}".upper(), f"{_CC}/licenses/{terms}/{version}/{country}/")


_IN_WORDS = {
    "cc0": CC0,
    "public domain": PUBLIC_DOMAIN,
    "all rights reserved": ALL_RIGHTS_RESERVED,
}
_BRACKETED = re.compile(r"(?:creative commons )?attribution[\w ,.-]*\((cc[^()]*)\)")


def parse_licence_words(text: str) -> Licence:
    """Parse a licence written in free text, where it is unambiguous; else return an unknown licence.

    >>> parse_licence_words("CC BY-NC 4.0").id, parse_licence_words("© All rights reserved.").id
    ('CC-BY-NC-4.0', 'LicenseRef-All-Rights-Reserved')
    >>> parse_licence_words("CC BY").id is None
    True
    """
    words = " ".join(text[:_LONGEST].casefold().strip("©. \t\n").removeprefix("(c) ").split())
    if bracketed := _BRACKETED.fullmatch(words):
        words = bracketed[1]
    known = _IN_WORDS.get(words)
    return known or parse_licence(text if "://" in words else words.replace(" ", "-"))
