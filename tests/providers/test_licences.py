"""Licences in free text: known if unambiguous, else unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.licences import Evidence, LicenceFilter
from harvest.providers import licence_parsing


@pytest.mark.parametrize(
    ("words", "spdx"),
    [
        ("CC BY 4.0", "CC-BY-4.0"),
        ("CC-BY-NC 4.0", "CC-BY-NC-4.0"),
        ("cc by-sa  3.0 de", "CC-BY-SA-3.0-DE"),
        ("cc by-sa  2.0 de", "LicenseRef-CC-BY-SA-2.0-DE"),
        ("https://creativecommons.org/licenses/by/2.1/", "LicenseRef-CC-BY-2.1"),
        ("CC0", "CC0-1.0"),
        ("CC0 1.0", "CC0-1.0"),
        ("Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)", "CC-BY-NC-4.0"),
        ("Creative Commons Attribution 4.0 (CC BY 4.0).", "CC-BY-4.0"),
        ("http://creativecommons.org/licenses/by-nc-nd/4.0/", "CC-BY-NC-ND-4.0"),
        ("© All rights reserved.", "LicenseRef-All-Rights-Reserved"),
        ("(c) all rights reserved", "LicenseRef-All-Rights-Reserved"),
        ("Public Domain", "LicenseRef-Public-Domain"),
        *[
            (words, None)
            for words in (
                *("", "©", "CC BY", "cc-by-nc", "CC BY 5.0", "CC_BY_4_0", "Creative Commons", "free"),
                *("Not CC BY 4.0", "CC BY 4.0 (see terms)", "CC0 or all rights reserved", "CC BY 4.0, CC0"),
                *("Attribution (CC BY 4.0) or not", "some rights reserved", "not public domain"),
                *("https://example.org/by/4.0/", "https://evil.test/?creativecommons.org/licenses/by/4.0/"),
            )
        ],
    ],
)
def test_words_name_a_licence_or_none(words, spdx):
    """Text is a stated licence only with unambiguous terms and version."""
    licence = licence_parsing.parse_licence_words(words)
    assert licence.id == spdx
    assert licence.evidence is (Evidence.STATED if spdx else Evidence.UNKNOWN)


def test_public_domain_is_open_and_reserved_rights_are_not():
    """Public domain meets every licence filter, and all rights reserved meets none."""
    wishes = set(LicenceFilter) - {LicenceFilter.ANY}
    assert all(licence_parsing.PUBLIC_DOMAIN.allows(wish) for wish in wishes)
    assert not any(licence_parsing.ALL_RIGHTS_RESERVED.allows(wish) for wish in wishes)
    assert licence_parsing.PUBLIC_DOMAIN.is_open
    assert not licence_parsing.ALL_RIGHTS_RESERVED.is_open


@pytest.mark.parametrize("country", ["de", "fr", "igo"])
@pytest.mark.parametrize("version", ["2.0", "2.1", "3.0"])
@pytest.mark.parametrize("terms", ["by", "by-nc-sa", "by-nd"])
def test_a_ported_licence_keeps_its_address_and_is_read_back(terms, version, country):
    """A ported licence has its own address, whether its id is listed or not, and the id gives the same licence."""
    address = f"https://creativecommons.org/licenses/{terms}/{version}/{country}/"
    licence = licence_parsing.parse_licence(f"{address}deed.en")
    assert licence.url == address
    assert licence.id.removeprefix("LicenseRef-") == f"CC-{terms}-{version}-{country}".upper()
    assert licence_parsing.parse_licence(licence.id) == licence


@pytest.mark.parametrize(
    "text", ["LicenseRef-CC-BY-4.0", "LicenseRef-CC-BY-SA-3.0-DE", "LicenseRef-CC-BY", "LicenseRef-"]
)
def test_a_reference_to_a_listed_licence_is_not_that_licence(text):
    """A reference whose name is a listed id may mean anything: it is unknown."""
    assert licence_parsing.parse_licence(text).id is None


@given(st.text())
def test_V07_any_words_are_read(words):
    """Any text is parsed without an error."""
    licence_parsing.parse_licence_words(words)
