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


@given(st.text())
def test_V07_any_words_are_read(words):
    """Any text is parsed without an error."""
    licence_parsing.parse_licence_words(words)
