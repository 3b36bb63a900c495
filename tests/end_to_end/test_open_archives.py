"""The open archives with the real command: images, licences, and failures."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.snakes import CORALS, exif_texts, pictures, table, write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.internet.archive import Archive
    from tests.web import Internet

CORAL = "micrurus tener"
ROWS = f"class,query\ncoral_snake,{CORAL}\n"
WIDE = (640, 400)
CONTACT = {"HARVEST_CONTACT": "ada@example.org"}
NAMES = ["OPENVERSE", "COMMONS", "INATURALIST", "GBIF"]

every_archive = pytest.mark.parametrize("name", NAMES)


def archive(internet: Internet, name: str) -> Archive:
    return getattr(internet, name.lower())


def corals(folder: Path) -> list[Path]:
    return pictures(folder / "dataset").get("coral_snake", [])


def recorded(folder: Path) -> list[tuple[str, str, str, str]]:
    """Read the source, licence, evidence and author of every hit from the ledger."""
    with closing(sqlite3.connect(f"file:{folder / 'dataset' / 'harvest.db'}?mode=ro", uri=True)) as ledger:
        return ledger.execute("SELECT source, licence, evidence, author FROM hit ORDER BY id").fetchall()


def everything(folder: Path) -> bytes:
    """Return every byte that a run left behind."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@every_archive
def test_an_archive_fills_a_class(internet, cli, name):
    """Images come with author and licence, each photo once, and the run succeeds."""
    results = archive(internet, name).add_results(CORAL, 12, size=WIDE, licence=5, html=1, changed=1)
    write(cli.folder, ROWS)

    run = cli("-c", name, "snakes.csv", **CONTACT)

    assert run.code == 0, run.err
    assert table(run)["coral_snake"]["found"] == 12
    assert len(corals(cli.folder)) == table(run)["coral_snake"]["kept"] >= 10
    for path in corals(cli.folder):
        words = exif_texts(path)
        assert path.name.startswith(f"{name.lower()}-")
        assert words["source"] in results.urls
        assert words["artist"].startswith("photographer ")
        assert words["copyright"].startswith("CC-BY-SA-")
    assert f"licence known for {len(corals(cli.folder))} of {len(corals(cli.folder))}" in run.out


@every_archive
def test_V03_truly_nothing_is_no_failure(internet, cli, name):
    """If an archive has no results, that is reported, and another archive fills the class."""
    internet.bing.add_results(CORAL, 2)
    write(cli.folder, ROWS)

    run = cli("-c", "BING", "-c", name, "snakes.csv", **CONTACT)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 2
    assert internet.log.to(archive(internet, name).host)


@every_archive
def test_V01_a_block_ends_one_archive(internet, cli, name):
    """A block page ends the search of its archive, which is asked once; the others continue."""
    internet.bing.add_results(CORAL, 2)
    archive(internet, name).add_results(CORAL, 3)
    archive(internet, name).set_mode("blocked")
    write(cli.folder, ROWS)

    run = cli("-c", "BING", "-c", name, "snakes.csv", **CONTACT)

    assert run.code == 3
    assert "answers 403 instead of results" in run.out
    assert len(corals(cli.folder)) == 2
    assert len(internet.log.to(archive(internet, name).host)) == 1


@pytest.mark.parametrize("mode", ["changed", "nested"])
@every_archive
def test_V02_V07_a_strange_answer_ends_one_archive(internet, cli, name, mode):
    """An unknown or malicious response is reported as such, and never as "no results"."""
    internet.bing.add_results(CORAL, 2)
    archive(internet, name).add_results(CORAL, 3)
    archive(internet, name).set_mode(mode)
    write(cli.folder, ROWS)

    run = cli("-c", "BING", "-c", name, "--json", "snakes.csv", **CONTACT)

    assert run.code == 3
    (problem,) = run.json["problems"]
    assert (problem["provider"], problem["kind"]) == (name, "PageChanged")
    assert len(corals(cli.folder)) == 2


def test_archives_alone_and_blocked_are_no_success(internet, cli):
    """A run with archives only, which received only block pages, reports that nothing was harvested."""
    for name in NAMES:
        archive(internet, name).set_mode("blocked")
    write(cli.folder, ROWS)

    assert cli(*(f"-c{name}" for name in NAMES), "snakes.csv", **CONTACT).code == 4


@every_archive
def test_license_open(internet, cli, name):
    """With `--license open` no image is kept, or even downloaded, that is not known to be open."""
    service = archive(internet, name)
    closed = service.add_results(CORAL, 3, licence=2)  # CC BY-NC
    opened = service.add_results(CORAL, 3, licence=4, also=closed)
    write(cli.folder, ROWS)

    run = cli("-c", name, "--license", "open", "snakes.csv", **CONTACT)

    assert run.code == 0, run.err
    assert {exif_texts(path)["source"] for path in corals(cli.folder)} == set(opened.urls[:3])
    assert not [url for url in closed.urls if internet.log.count(url)]


def test_all_includes_the_archives_without_keys(internet, cli):
    """Without -c, Openverse, iNaturalist and GBIF are searched, and Commons if there is a contact."""
    shown = [archive(internet, name).add_results(CORAL, 2) for name in NAMES]
    write(cli.folder, ROWS)

    run = cli("snakes.csv", **CONTACT)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == sum(map(len, shown))
    assert {path.name.split("-")[0].upper() for path in corals(cli.folder)} == set(NAMES)


def test_search_syntax_harms_no_archive(internet, cli):
    """The user's own query file, with its exclusions, also works for archives that search by name."""
    for name in ("INATURALIST", "GBIF"):
        archive(internet, name).add_results(CORAL, 2)
    write(cli.folder, CORALS)  # micrurus tener -king

    run = cli("-c", "INATURALIST", "-c", "GBIF", "snakes.csv")

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 4


# ---- Openverse


def test_V04_openverse_with_credentials(internet, cli):
    """Credentials give larger pages, and neither secret nor token is in the output or in any file."""
    internet.openverse.add_results(CORAL, 30)
    write(cli.folder, ROWS)
    service = internet.openverse

    run = cli(
        *("-c", "OPENVERSE", "-v", "--log", "story.log", "snakes.csv"),
        OPENVERSE_CLIENT_ID=service.client_id,
        OPENVERSE_CLIENT_SECRET=service.client_secret,
    )

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 30
    token, search = internet.log.to(service.host)
    assert (token.method, search.asked["page_size"]) == ("POST", "48")
    assert search.headers["authorization"] == f"Bearer {service.token}"
    for secret in (service.client_secret, service.token):
        assert secret not in run.out + run.err
        assert secret.encode() not in everything(cli.folder)
        assert not [visit for visit in internet.log.visits if secret in visit.url]


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({"OPENVERSE_CLIENT_SECRET": "wrong"}, "does not accept the client id and secret"),
        ({"OPENVERSE_CLIENT_SECRET": None}, "OPENVERSE_CLIENT_SECRET is not set"),
    ],
)
def test_V04_openverse_with_wrong_credentials(internet, cli, given, messages):
    """Refused or incomplete credentials end the run with the exit code for keys."""
    internet.openverse.add_results(CORAL, 3)
    write(cli.folder, ROWS)

    run = cli("-c", "OPENVERSE", "snakes.csv", OPENVERSE_CLIENT_ID=internet.openverse.client_id, **given)

    assert run.code == 5
    assert messages in run.err + run.out
    assert not internet.log.to(internet.openverse.host, "/v1/images/*")


def test_N05_openverse_throttled_is_waited_for(internet, cli):
    """A rate-limited response is retried after the time that its text gives, and the search continues."""
    internet.openverse.add_results(CORAL, 3)
    internet.openverse.set_mode("throttled", times=1)
    write(cli.folder, ROWS)

    run = cli("-c", "OPENVERSE", "snakes.csv")

    assert run.code == 0, run.err
    assert "Openverse refused (429). Retrying in 1 s" in run.err
    assert len(corals(cli.folder)) == 3


def test_V05_openverses_day_is_used_up(internet, cli):
    """When the daily quota is used up midway, existing results are kept, and the message says until when."""
    internet.openverse.add_results(CORAL, 25)
    internet.openverse.set_mode("spent", after=1)
    write(cli.folder, ROWS)

    run = cli("-c", "OPENVERSE", "snakes.csv")

    assert run.code == 3
    assert len(corals(cli.folder)) == 20
    assert "Openverse refused once (429) and asks to wait 12 h" in run.out
    internet.openverse.reset_mode()
    assert cli("-c", "OPENVERSE", "snakes.csv").code == 0
    assert len(corals(cli.folder)) == 25


def test_openverses_thumbnail_stands_in_for_a_dead_original(internet, cli):
    """If the archive's own image is gone, the rendition that Openverse stores is downloaded."""
    (dead,) = internet.openverse.add_results(CORAL, 1, size=WIDE, dead=1)
    write(cli.folder, ROWS)

    assert cli("-c", "OPENVERSE", "-s", "0", "snakes.csv").code == 0
    assert internet.log.count(dead.url) == 1
    assert len(corals(cli.folder)) == len(internet.log.to(internet.openverse.host, "*/thumb/")) == 1


# ---- Commons


@pytest.mark.parametrize("contact", [None, "me"])
def test_commons_without_a_contact(internet, cli, contact):
    """Without a contact Commons is not asked, and the exit code is the one for keys."""
    internet.commons.add_results(CORAL, 3)
    write(cli.folder, ROWS)

    run = cli("-c", "COMMONS", "snakes.csv", HARVEST_CONTACT=contact)

    assert run.code == 5
    assert "Commons requires a contact" in run.err
    assert "--contact you@example.org" in run.err
    assert not internet.log.to(internet.commons.host)


def test_commons_gives_a_whole_category(internet, cli):
    """A category is complete, however many responses it takes."""
    internet.commons.add_results("category:Micrurus tener", 60)
    write(cli.folder, "class,query\ncoral_snake,category:Micrurus tener\n")

    run = cli("-c", "COMMONS", "snakes.csv", **CONTACT)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 60
    asked = internet.log.to(internet.commons.host)
    assert all("(ada@example.org)" in visit.headers["user-agent"] for visit in asked)
    assert len(asked) == 4


# ---- iNaturalist and GBIF


def test_inaturalist_records_reserved_rights(internet, cli):
    """A photo without a licence is recorded as all rights reserved."""
    internet.inaturalist.add_results(CORAL, 2, licence=0)
    write(cli.folder, ROWS)

    assert cli("-c", "INATURALIST", "snakes.csv").code == 0
    assert {row[1:3] for row in recorded(cli.folder)} == {("LicenseRef-All-Rights-Reserved", "stated")}


def test_inaturalist_pages_by_id(internet, cli):
    """More observations than fit on a page are all found, range by range of their ids."""
    internet.inaturalist.add_results(CORAL, 230)
    write(cli.folder, ROWS)

    run = cli("-c", "INATURALIST", "-n", "snakes.csv")

    assert run.code == 0, run.err
    assert table(run)["coral_snake"]["found"] == 230
    asked = [visit.asked for visit in internet.log.to(internet.inaturalist.host, "/v1/obs*")]
    assert [asked[0]["id_above"], asked[1]["id_above"]] == ["0", str(90_000_063)]
    assert {each.get("id_below") for each in asked[1:]} == {"100000001", "200000001", "300000001", None}


def test_V06_a_photo_of_inaturalist_is_fetched_once(internet, cli):
    """A photo that GBIF lists too is recognised by its number: one is kept, and it is requested once."""
    own = internet.inaturalist.add_results(CORAL, 3)
    internet.gbif.add_results(CORAL, 2, also=own)
    write(cli.folder, ROWS)

    run = cli("-c", "INATURALIST", "-c", "GBIF", "snakes.csv")

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 5
    assert [internet.log.count(url) for url in own.urls] == [1, 1, 1]
    assert len({row[0] for row in recorded(cli.folder) if row[0].startswith("inaturalist:")}) == 3


@pytest.mark.parametrize(("contact", "code"), [("ada@example.org", 0), (None, 4)])
def test_images_of_wikimedia_need_the_contact_whichever_source_found_them(internet, cli, contact, code):
    """A list of URLs gives images of Wikimedia with a contact; without one a message says why they are refused."""
    urls = internet.commons.add_results(CORAL, 3).urls
    (cli.folder / "list.txt").write_text("\n".join(urls))
    write(cli.folder, "class,query\ncoral_snake,list.txt\n")

    run = cli("-c", "URLS", "snakes.csv", HARVEST_CONTACT=contact)

    assert run.code == code
    assert run.err.count("Wikimedia asks programs for a contact") == (0 if contact else 1)
