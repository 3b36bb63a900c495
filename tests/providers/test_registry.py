"""The registry: names in any case, suggestions for misspelt ones, and providers of other packages."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint

import pytest

from harvest import providers
from harvest.errors import Unavailable, UsageError

PLUGIN = """
from harvest.providers import Provider

class Acme(Provider):
    "Acme's pictures."
    name = "ACME"
    label = "Acme"
    about = "pictures of everything by Acme"

    def search(self, query, pages):
        yield from ()

class Nameless:
    pass

class Moody(Acme):
    name = "MOODY"

    def __init__(self, environ):
        raise ZeroDivisionError

not_a_class = 7
"""


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """Return a function that adds entry points as an installed package would."""
    (tmp_path / "acme_harvest.py").write_text(PLUGIN)
    (tmp_path / "acme_broken.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "acme_furious.py").write_text("raise RuntimeError('no key\\nin here')\n")
    (tmp_path / "acme_leaving.py").write_text("raise SystemExit(1)\n")
    monkeypatch.syspath_prepend(tmp_path)

    def plug(**points):
        made = [EntryPoint(name, value, providers.GROUP) for name, value in points.items()]
        monkeypatch.setattr(providers, "_entry_points", lambda: made)

    yield plug
    for module in ("acme_harvest", "acme_broken", "acme_furious", "acme_leaving"):
        sys.modules.pop(module, None)


def test_ours_are_there():
    """The providers of this package are listed first, by name."""
    ours = [name for name in providers.names() if providers.get(name).__module__.startswith("harvest.")]
    assert providers.names()[: len(ours)] == ours == sorted(ours)
    assert {"BING", "FLICKR", "GOOGLE", "SAMPLE", "URLS"} <= set(ours)


@pytest.mark.parametrize("name", ["bing", "BING", " Bing "])
def test_a_name_is_known_in_any_case(name):
    """A provider is found by its name in any case."""
    assert providers.get(name).name == "BING"


def test_a_misspelt_name_gets_a_guess():
    """An unknown name is a usage error with a suggestion and the list of providers."""
    with pytest.raises(UsageError) as caught:
        providers.get("FLIKR")
    assert caught.value.message.startswith("no provider 'FLIKR'. Did you mean FLICKR?  (")
    assert ", ".join(providers.names()) in caught.value.message


def test_an_unheard_name_gets_no_guess():
    """A name similar to none gets the list of providers and no suggestion."""
    with pytest.raises(UsageError) as caught:
        providers.get("zzzzzz")
    assert "Did you mean" not in caught.value.message


def test_all_stands_for_what_can_work(plugged):
    """`ALL` leaves out providers without their key, unavailable ones, SAMPLE and URLS."""
    plugged()
    without = providers.for_all({})
    assert "BING" in without
    assert not {"FLICKR", "GOOGLE", "SAMPLE", "URLS"} & set(without)
    assert set(providers.for_all({"FLICKR_API_KEY": "k"})) == {*without, "FLICKR"}


def test_another_package_adds_a_provider(plugged):
    """A provider from an entry point works like a built-in one, in any case and in `ALL`."""
    plugged(acme="acme_harvest:Acme")
    assert providers.names()[-1] == "ACME"
    assert providers.get("Acme").about == "pictures of everything by Acme"
    assert "ACME" in providers.for_all({})
    assert providers.broken() == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme_broken:Acme", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("acme_furious:Acme", "RuntimeError: no key in here"),
        ("acme_harvest:Acmee", "AttributeError"),
        ("acme_harvest:Nameless", "acme_harvest:Nameless is not a Provider"),
        ("acme_harvest:not_a_class", "acme_harvest:not_a_class is not a Provider"),
        ("no such module", "Error"),
        ("acme_leaving:Acme", "SystemExit: 1"),
    ],
)
def test_a_broken_provider_is_told_and_harms_no_other(plugged, value, reason):
    """A provider that cannot be loaded is named with its reason; the others still work."""
    plugged(acme=value)
    with pytest.raises(Unavailable, match="provider ACME cannot be loaded"):
        providers.get("acme")
    (message,) = providers.broken()
    assert reason in message
    assert "BING" in providers.for_all({})
    assert "ACME" not in providers.for_all({})
    assert providers.get("BING").name == "BING"


def test_a_provider_must_bear_the_name_it_is_installed_by(plugged):
    """An entry point whose class has another name is refused: no hit gets a wrong provider name."""
    plugged(other="acme_harvest:Acme")
    assert "its name is ACME" in providers.broken()[0]


def test_the_name_of_a_built_in_provider_is_refused(plugged):
    """An entry point with the name of a built-in provider is reported and left out."""
    plugged(sample="acme_harvest:Acme")
    assert providers.get("SAMPLE").__module__ == "harvest.providers.sample"
    assert providers.names().count("SAMPLE") == 1
    assert "SAMPLE" in providers.broken()[0]


def test_a_provider_that_fails_when_it_is_made_is_left_out_of_all(plugged, caplog):
    """`ALL` leaves out a provider that cannot be created, with a log entry."""
    plugged(moody="acme_harvest:Moody")
    assert "BING" in providers.for_all({})
    assert "MOODY" not in providers.for_all({})
    assert "ZeroDivisionError" in caplog.text
