"""The conformance suite for every registered provider.

A provider that reads pages has a folder of fixtures named as it is: `found`, what `parse` makes of it in
`expected.json`, `empty`, `blocked` (a number in a name is the page's status), `before` where another page
must be asked first, and in `about.json` the page's address and the changes of `found` that must not pass for
"no results". A provider of several ways has a folder for each; `about.json` then names the `provider`, the
`module` of its `parse`, and the `environ` that chooses the way.
"""

from __future__ import annotations

import json
import re
import socket
from contextlib import suppress
from importlib import import_module
from itertools import islice
from urllib.parse import urlsplit

import pytest

from harvest import providers
from harvest.errors import Blocked, KeyMissing, PageChanged, Unavailable
from harvest.models import Query
from harvest.providers.base import PATIENCE, Provider
from harvest.web.request_search_pages import SearchPage
from tests.providers.pages import FIXTURES, plain, serving

ENVIRON = {
    "FLICKR_API_KEY": "a-key",
    "BRAVE_API_KEY": "a-key",
    "HARVEST_CONTACT": "ada@example.org",
    "PEXELS_API_KEY": "a-key",
    "PIXABAY_API_KEY": "a-key",
    "NAVER_API_HUB_CLIENT_ID": "an-id",
    "NAVER_API_HUB_CLIENT_SECRET": "a-secret",
    "SEARXNG_URL": "https://searx.example",
}
FOLDERS = sorted(folder for folder in FIXTURES.iterdir() if folder.is_dir())
CHANGES = [
    pytest.param(folder, steps, id=f"{folder.name}-{what}")
    for folder in FOLDERS
    for what, steps in json.loads((folder / "about.json").read_text("utf-8"))["changes"].items()
]

SNAKES = Query("king snake", "king_snake", limit=100)

every_provider = pytest.mark.parametrize("name", providers.names())
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def fixture(folder, kind):
    (path,) = (path for path in folder.iterdir() if re.fullmatch(rf"{kind}(-\d+)?", path.stem))
    status = re.search(r"\d+", path.stem)
    return int(status[0]) if status else 200, path.read_text("utf-8")


def parse(folder, answer):
    status, text = answer
    module = about(folder).get("module") or provider(folder).__module__
    return import_module(module).parse(SearchPage(about(folder)["address"], status, text, {}))


def about(folder):
    return json.loads((folder / "about.json").read_text("utf-8"))


def expected(folder):
    return json.loads((folder / "expected.json").read_text("utf-8"))


def provider(folder):
    return providers.get(about(folder).get("provider", folder.name))


def before(folder):
    return [fixture(folder, "before")] if list(folder.glob("before*")) else []


def search(folder, *answers, query=SNAKES):
    """Return the hits of a search, and a function that returns the requested URLs."""
    first = before(folder)
    pages = serving(*first, *answers)
    made = provider(folder)(ENVIRON | about(folder).get("environ", {}))
    return made.search(query, pages), lambda: pages.asked[len(first) :]


@every_provider
def test_a_provider_is_made_without_asking_anything(name, monkeypatch):
    """Creating a provider and checking it opens no socket."""
    made = []
    monkeypatch.setattr(socket.socket, "bind", lambda *_: made.append("bind"))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: made.append("connect"))
    provider = providers.get(name)(ENVIRON)
    with suppress(Unavailable):
        provider.check()
    assert isinstance(provider, Provider)
    assert not made


@every_provider
def test_a_provider_names_and_explains_itself(name):
    """A provider has a name, a label, a line about it, a docstring and a valid pace."""
    kind = providers.get(name)
    assert kind.name == name == name.upper()
    assert kind.label.upper() == name
    assert 10 < len(kind.about) < 80
    assert kind.__doc__ != Provider.__doc__
    assert kind.__doc__.split("\n")[0].endswith(".")
    assert kind.pace >= 0
    assert kind.most > 0


def test_names_are_unique():
    """No two providers share a name."""
    assert len({name.upper() for name in providers.names()}) == len(providers.names())


@pytest.mark.parametrize("name", [name for name in providers.names() if providers.get(name).key])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_V04_a_missing_key_is_named(name, value):
    """Without its key, a provider names the variable and where to get a key."""
    kind = providers.get(name)
    environ = {} if value is None else {kind.key.variable: value}
    with pytest.raises(KeyMissing, match=f"{kind.label} needs an API key") as caught:
        kind(environ).check()
    assert kind.key.variable in caught.value.message
    assert kind.key.page in caught.value.hint


@every_provider
def test_a_provider_closes_more_than_once(name):
    """Closing an unused provider twice is not an error."""
    provider = providers.get(name)(ENVIRON)
    provider.close()
    provider.close()


@every_folder
def test_a_page_is_read_as_expected(folder):
    """The hits and the next page of the fixture equal the expected answer."""
    assert plain(parse(folder, fixture(folder, "found"))) == expected(folder)


@every_folder
def test_V03_truly_nothing_is_no_error(folder):
    """A page without results ends the search without a hit and without an error."""
    hits, asked = search(folder, fixture(folder, "empty"))
    assert list(hits) == []
    assert len(asked()) <= 2


@every_folder
def test_V01_a_block_page_raises_and_is_not_asked_again(folder):
    """A challenge instead of results is `Blocked`, has a hint, and is requested once."""
    hits, asked = search(folder, fixture(folder, "blocked"))
    with pytest.raises(Blocked) as caught:
        next(hits)
    assert caught.value.message.startswith(provider(folder).label)
    assert caught.value.hint
    assert len(asked()) == 1


@pytest.mark.parametrize(
    "folder", [folder for folder in FOLDERS if expected(folder)["more"]], ids=lambda folder: folder.name
)
def test_V05_what_came_before_a_block_is_kept(folder):
    """A block page after a good page ends the search after the hits of the good page."""
    hits, _ = search(folder, fixture(folder, "found"), fixture(folder, "blocked"))
    good = expected(folder)["hits"]
    assert [hit.source for hit in islice(hits, len(good))] == [hit["source"] for hit in good]
    with pytest.raises(Blocked):
        next(hits)


@pytest.mark.parametrize(("folder", "steps"), CHANGES)
def test_V02_V07_a_changed_page_never_looks_like_no_results(folder, steps):
    """A new, truncated, empty or hostile page raises `PageChanged` with the page."""
    status, text = fixture(folder, "found")
    changed = text
    for pattern, replacement in steps:
        changed = re.sub(pattern, replacement, changed)
    assert changed != text
    hits, asked = search(folder, (status, changed))
    with pytest.raises(PageChanged) as caught:
        next(hits)
    assert caught.value.page == changed
    assert len(asked()) <= 3


@every_folder
def test_hits_have_what_the_others_count_on(folder):
    """Hits have their provider, a source key, valid URLs, and ranks from 1."""
    hits, _ = search(folder, fixture(folder, "found"))
    hits = list(hits)
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert len({hit.source for hit in hits}) == len(hits) > 1
    for hit in hits:
        assert hit.provider == provider(folder).name
        assert all(urlsplit(url).scheme in {"http", "https"} for url in (hit.url, *hit.others))
        assert hit.url not in hit.others


@every_folder
def test_a_search_is_lazy(folder):
    """No request is made before the first hit, and only one page for it."""
    hits, asked = search(folder, fixture(folder, "found"))
    assert not asked()
    assert len(list(islice(hits, 1))) == 1
    assert len(asked()) == 1


@every_folder
def test_a_source_that_repeats_itself_is_left(folder):
    """A page repeated forever ends the search after two pages without a new hit."""
    hits, asked = search(folder, fixture(folder, "found"))
    assert len(list(hits)) == len(expected(folder)["hits"])
    assert len(asked()) <= 1 + PATIENCE
