"""Licence ids are those of the SPDX list, or references; the licence filters judge both alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest import spdx
from harvest.licences import Licence, LicenceFilter

REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
# The Creative Commons ids of version 3.29.0 of the list that are ported; nearly all others are not listed.
PORTED = {
    *("CC-BY-2.5-AU", "CC-BY-3.0-AT", "CC-BY-3.0-AU", "CC-BY-3.0-DE", "CC-BY-3.0-IGO", "CC-BY-3.0-NL", "CC-BY-3.0-US"),
    *("CC-BY-NC-3.0-DE", "CC-BY-NC-3.0-IGO", "CC-BY-NC-ND-3.0-DE", "CC-BY-NC-ND-3.0-IGO", "CC-BY-ND-3.0-DE"),
    *("CC-BY-NC-SA-2.0-DE", "CC-BY-NC-SA-2.0-FR", "CC-BY-NC-SA-2.0-UK", "CC-BY-NC-SA-3.0-DE", "CC-BY-NC-SA-3.0-IGO"),
    *("CC-BY-SA-2.0-UK", "CC-BY-SA-2.1-JP", "CC-BY-SA-3.0-AT", "CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-IGO"),
}
TERMS = ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")
PORTS = ("AT", "AU", "DE", "FR", "IGO", "JP", "NL", "UK", "US")
ALLOWED = {
    "BY": {"any", "open", "commercial"},
    "BY-SA": {"any", "open", "commercial"},
    "BY-ND": {"any", "commercial"},
}


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("version", ["1.0", "2.0", "2.1", "2.5", "3.0", "4.0"])
def test_creative_commons_ids_are_listed_or_references(terms, version):
    """An unported licence of a version that exists is listed; a ported one is listed or becomes a reference."""
    unported = f"CC-{terms}-{version}"
    assert Licence(unported).id == (unported if version != "2.1" else f"LicenseRef-{unported}")
    for port in PORTS:
        ported = f"{unported}-{port}"
        assert Licence(ported).id == (ported if ported in PORTED else f"LicenseRef-{ported}")


@pytest.mark.parametrize("end", ["", *(f"-{port}" for port in PORTS)])
@pytest.mark.parametrize("version", ["2.0", "2.1", "3.0"])
@pytest.mark.parametrize("terms", TERMS)
def test_a_reference_is_judged_as_the_licence_that_it_is(terms, version, end):
    """The licence filters depend on the terms of a licence and not on whether its id is listed."""
    licence = Licence(f"CC-{terms}-{version}{end}")
    assert {wish for wish in LicenceFilter if licence.allows(wish)} == ALLOWED.get(terms, {"any"})
    assert licence.is_open == ("open" in ALLOWED.get(terms, {}))


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("cc0-1.0", "CC0-1.0"),
        ("CC-PDM-1.0", "CC-PDM-1.0"),
        (" mit ", "MIT"),
        ("GFDL-1.2-or-later", "GFDL-1.2-or-later"),
        ("LicenseRef-US-Gov", "LicenseRef-US-Gov"),
        ("LicenseRef-a/b c", "LicenseRef-a-b-c"),
        ("some_terms", "LicenseRef-some-terms"),
        ("x" * 999, f"LicenseRef-{'x' * 100}"),
        ("", None),
        ("LicenseRef-", None),
        ("\ud800©", None),
    ],
)
def test_an_id_is_listed_a_reference_or_unknown(text, known):
    """Listed ids have the case of the list; other texts become references that SPDX accepts, or are unknown."""
    assert spdx.licence_id(text) == Licence(text).id == known


@given(st.text())
def test_V07_any_text_gives_a_valid_id(text):
    """Any text gives an id that SPDX accepts and that gives itself again, or no id."""
    found = spdx.licence_id(text)
    assert found is None or spdx.licence_id(found) == found
    assert found is None or REFERENCE.fullmatch(found) or found.casefold() == text.strip().casefold()


def test_the_list_agrees_with_that_of_packaging():
    """Every id of ours that the library `packaging` knows has the same spelling there, and nearly all are known."""
    licences = pytest.importorskip("packaging.licenses")
    ids = spdx._listed_ids().values()
    unknown = []
    for text in ids:
        try:
            assert licences.canonicalize_license_expression(text) == text
        except licences.InvalidLicenseExpression:
            unknown.append(text)
    assert len(ids) == 740
    assert len(unknown) < 100  # its list may be older
