"""The open archives of the test Internet respond as the real ones do, and refuse what those refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web import Internet

RECORDINGS = Path(__file__).parents[2] / "shared" / "recordings"
OPENVERSE = "https://api.openverse.org/v1"
COMMONS = "https://commons.wikimedia.org/w/api.php"
NATURE = "https://api.inaturalist.org/v1"
GBIF = "https://api.gbif.org/v1"
FILES = {
    "action": "query",
    "generator": "search",
    "gsrsearch": "filetype:bitmap snake filew:>9",
    "gsrlimit": 50,
}
CONTACT = {"User-Agent": "tests/1 (ada@example.org)"}


@pytest.fixture
def session(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> Iterator[requests.Session]:
    """Return a client that is directed here as the program is: by its environment."""
    for name, value in internet.environ.items():
        monkeypatch.setenv(name, value)
    with requests.Session() as session:
        yield session


def recorded(name: str) -> str:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip("the recordings are not at hand")
    return path.read_text("utf-8")


def ask(session: requests.Session, url: str, headers: dict[str, str] | None = None, **params: Any) -> Any:
    return session.get(url, params=params, headers=headers, timeout=60).json()


def test_openverse_answers_in_the_shape_recorded(internet: Internet, session: requests.Session) -> None:
    """Our results have all fields of a recorded result."""
    theirs = json.loads(recorded("openverse/images_search_2022-01.json"))
    internet.openverse.add_results("snake", 3)
    ours = ask(session, f"{OPENVERSE}/images/", q="snake")
    assert theirs.keys() <= ours.keys()
    assert theirs["results"][0].keys() <= ours["results"][0].keys()


def test_openverse_keeps_its_limits(internet: Internet, session: requests.Session) -> None:
    """A page has 20 results, more with a token, and a search never more than 240."""
    internet.openverse.add_results("snake", 300)
    url = f"{OPENVERSE}/images/"
    assert ask(session, url, q="snake", page_size=21)["detail"].startswith("page_size may not exceed 20")
    assert len(ask(session, url, q="snake", page=12)["results"]) == 20
    assert session.get(url, params={"q": "snake", "page": 13}, timeout=60).status_code == 400
    known = {"client_id": internet.openverse.client_id, "client_secret": internet.openverse.client_secret}
    form = known | {"grant_type": "client_credentials"}
    token = session.post(f"{OPENVERSE}/auth_tokens/token/", data=form, timeout=60).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    assert len(ask(session, url, headers, q="snake", page_size=48)["results"]) == 48
    assert session.get(url, headers={"Authorization": "Bearer x"}, timeout=60).status_code == 401
    assert session.post(f"{OPENVERSE}/auth_tokens/token/", data={}, timeout=60).status_code == 401


def test_openverses_parts_make_up_the_whole(internet: Internet, session: requests.Session) -> None:
    """Filters by source, licence and size partition the images, and each has its thumbnail."""
    result_list = internet.openverse.add_results("snake", 10)
    for parts in (
        [{"source": "flickr"}, {"source": "wikimedia"}, {"excluded_source": "flickr,wikimedia"}],
        [{"license": "by"}, {"license": "by-sa,cc0"}],
        [{"size": "small"}, {"size": "medium,large"}],
    ):
        found = [ask(session, f"{OPENVERSE}/images/", q="snake", **part)["results"] for part in parts]
        assert sorted(result["url"] for part in found for result in part) == sorted(result_list.urls)
    thumbnail = session.get(found[0][0]["thumbnail"], timeout=60)
    assert thumbnail.headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(("mode", "seconds"), [("throttled", 1), ("spent", 43_200)])
def test_openverse_gives_the_waiting_time_as_text(
    internet: Internet, session: requests.Session, mode: str, seconds: int
) -> None:
    """A rate-limited response has the text of the recorded one, and no header."""
    internet.openverse.set_mode(mode)
    answer = session.get(f"{OPENVERSE}/images/", timeout=60)
    assert answer.status_code == 429
    assert "Retry-After" not in answer.headers
    theirs = re.search(r"detail: '(.*?)'", recorded("openverse/images_429_throttled_2023-07.json5"))
    assert theirs
    assert answer.json()["detail"] == theirs[1].replace("3600", str(seconds))


def test_commons_refuses_clients_without_a_contact(internet: Internet, session: requests.Session) -> None:
    """A client without a contact in its User-Agent is refused."""
    internet.commons.add_results("snake", 1)
    assert session.get(COMMONS, params=FILES, timeout=60).status_code == 403
    assert ask(session, COMMONS, CONTACT, **FILES)["query"]["pages"][0]["imageinfo"]


def test_commons_splits_a_batch(internet: Internet, session: requests.Session) -> None:
    """Later responses add what the first leaves out, until the batch is complete."""
    internet.commons.add_results("snake", 60)
    seen: set[int] = set()
    following: dict[str, Any] = {}
    for whole in (False, False, True, True):
        answer = ask(session, COMMONS, CONTACT, **FILES, **following)
        assert ("batchcomplete" in answer) == whole
        seen |= {file["pageid"] for file in answer["query"]["pages"] if "imageinfo" in file}
        following = answer.get("continue", {})
    assert len(seen) == 60
    assert not following


def test_commons_serves_certain_widths(internet: Internet, session: requests.Session) -> None:
    """Originals and renditions can be downloaded; those of other widths are refused."""
    (listing,) = internet.commons.add_results("snake", 1, size=(1920, 1280))
    (file,) = ask(session, COMMONS, CONTACT, **FILES)["query"]["pages"]
    info = file["imageinfo"][0]
    assert session.get(info["url"], headers=CONTACT, timeout=60).content == listing.body
    assert session.get(info["thumburl"], headers=CONTACT, timeout=60).ok
    assert session.get(info["thumburl"].replace("/1280px", "/1000px"), headers=CONTACT, timeout=60).status_code == 429


def test_inaturalist_answers_in_the_shape_recorded(internet: Internet, session: requests.Session) -> None:
    """Our responses have all fields of a recorded taxon, observation and photo."""
    taxa = json.loads(recorded("inaturalist/taxa_autocomplete.json"))["results"][0]
    observation = json.loads(recorded("inaturalist/observations_page1.json"))["results"][0]
    internet.inaturalist.add_results("micrurus tener", 3)
    (ours,) = ask(session, f"{NATURE}/taxa/autocomplete", q="micrurus")["results"]
    assert ours.keys() <= taxa.keys()
    (first, *_) = ask(session, f"{NATURE}/observations", taxon_id=ours["id"], order_by="id", order="asc", id_above=0)[
        "results"
    ]
    assert first.keys() <= observation.keys()
    assert first["photos"][0].keys() == observation["photos"][0].keys()


def test_inaturalist_pages_by_id(internet: Internet, session: requests.Session) -> None:
    """Observations are sorted by id, and the remaining ones are counted."""
    result_list = internet.inaturalist.add_results("micrurus tener", 7)
    asked = {"taxon_id": 7001, "order_by": "id", "order": "asc", "per_page": 5}
    first = ask(session, f"{NATURE}/observations", **asked)
    last = ask(session, f"{NATURE}/observations", **asked, id_above=first["results"][-1]["id"])
    assert [first["total_results"], last["total_results"]] == [7, 2]
    urls = [each["photos"][0]["url"] for page in (first, last) for each in page["results"]]
    assert [url.replace("square", "original") for url in urls] == result_list.urls
    assert session.get(urls[0].replace("square", "original"), timeout=60).content == result_list[0].body


def test_gbif_answers_in_the_shape_recorded(internet: Internet, session: requests.Session) -> None:
    """Our responses have all fields of a recorded occurrence and its image."""
    text = recorded("gbif/occurrence_search.vcr.yaml")
    internet.gbif.add_results("Micrurus tener", 3)
    taxonomy = {"checklistKey": "7ddf754f-d193-4cc9-b351-99906754a03b"}
    match = GBIF.replace("v1", "v2") + "/species/match"
    key = ask(session, match, scientificName="Micrurus tener", **taxonomy)["usage"]["key"]
    asked = taxonomy | {"taxonKey": key, "mediaType": "StillImage", "limit": 2, "offset": 0}
    ours = ask(session, f"{GBIF}/occurrence/search", **asked)
    for name in {*ours, *ours["results"][0], *ours["results"][0]["media"][0]}:
        assert f'\\"{name}\\":' in text, name
    assert not ours["endOfRecords"]
    assert ask(session, f"{GBIF}/occurrence/search", **asked | {"offset": 2})["endOfRecords"]
    for unknown in ({"scientificName": "red apple"} | taxonomy, {"scientificName": "Micrurus tener"}):
        assert ask(session, match, **unknown)["diagnostics"]["matchType"] == "NONE"
