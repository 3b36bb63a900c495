"""Changes that the user makes in the folders last: the real command again, after images were moved or deleted.

One harvest is made once: corals from Bing, kings from Flickr. Each test works on a copy of it. Other hosts
serve every photo too, unchanged or changed as copies on the web are.
"""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harvest.images import source_of
from tests.command import Command
from tests.end_to_end.harvests import decisions, pictures, snapshot
from tests.internet.drawing import CHANGES
from tests.pictures import encoded, photo
from tests.web import Answer, Internet, Listing, ResultList

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Ran
    from tests.internet.proxy_server import Request

# Every change that copies on the web have, except those that make an image too small to be kept.
WAYS = ("as it is", *sorted(CHANGES.keys() - {"thumbnail"}))
QUERIES = "class,query,providers\ncoral,coral snake,BING\nking,king snake,FLICKR\n"


@dataclass(frozen=True)
class Home:
    """A harvested dataset, and the actions of its user."""

    internet: Internet
    cli: Command
    corals: ResultList
    kings: ResultList

    @property
    def out(self) -> Path:
        """The class folders."""
        return self.cli.folder / "dataset"

    @property
    def rejected_folder(self) -> Path:
        """The folder of rejected images."""
        return self.cli.folder / "dataset.rejected"

    def get(self, *options: str, code: int = 0) -> dict[str, Any]:
        """Run the command again, and return its summary."""
        ran = self._run("-c", "BING", "-c", "FLICKR", "snakes.csv", "--json", *options)
        assert ran.code == code, ran.err
        return ran.json

    def status(self, *options: str, code: int = 0) -> dict[str, Any]:
        """Return the output of `harvest status --json`."""
        ran = self._run("status", "--json", *options)
        assert ran.code == code, ran.err
        return ran.json

    def _run(self, *line: str) -> Ran:
        self.internet.log.clear()
        ran = self.cli(*line, FLICKR_API_KEY=self.internet.flickr.key)
        assert "Traceback" not in ran.err, ran.err
        return ran

    def add_queries(self, text: str) -> None:
        """Add rows to the query file."""
        self.write_queries(QUERIES + text)

    def write_queries(self, text: str) -> None:
        """Write another query file."""
        (self.cli.folder / "snakes.csv").write_text(text, "utf-8")

    def write_url_list(self, *urls: str, name: str = "again.txt") -> str:
        """Write a list of URLs, and return its file name, which is a query of `URLS`."""
        (self.cli.folder / name).write_text("\n".join(urls), "utf-8")
        return name

    def other_urls(self, listing: Listing) -> list[str]:
        """Return other URLs of a photo, one for each kind of change."""
        return [f"https://mirror.test/{way.replace(' ', '-')}/{listing.id}.jpg" for way in WAYS]

    def file(self, listing: Listing) -> Path:
        """Return the file that shows a listing's photo, by the URL in its EXIF."""
        addresses = {self.address(each) for each in self.same_photo(listing)}
        [path] = [path for path in pictures(self.out) if source_of(path.read_bytes()) in addresses]
        return path

    def same_photo(self, listing: Listing) -> list[Listing]:
        """Return all listings of the same photo."""
        return [each for each in (*self.corals, *self.kings) if each.photo == listing.photo]

    def address(self, listing: Listing) -> str:
        """Return the URL at which the harvest found a listing."""
        return self.internet.flickr.address(listing) if listing in self.kings else listing.url

    def downloads(self) -> list[str]:
        """Return which images the last command requested, except dead URLs, which --refresh retries."""
        others = (self.internet.bing.host, self.internet.flickr.host, "dead.pictures.test")
        return [visit.url for visit in self.internet.log.to() if visit.host not in others]


def mirror(internet: Internet, request: Request) -> Answer:
    """Serve any photo of the test Internet, changed as the URL says."""
    way, _, name = request.route.strip("/").partition("/")
    listing = internet.catalogue.numbered(int(name.removesuffix(".jpg")))
    assert listing
    body = listing.photo.body if way == "as-it-is" else listing.photo.changed(way)
    return Answer(body, kind="image/jpeg")


@pytest.fixture(scope="module")
def harvested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """Harvest once."""
    with Internet() as internet:
        corals = internet.bing.add_results("coral snake", 11, dead=1, changed=2, copy=1)
        kings = internet.flickr.add_results("king snake", 24)
        internet.sites["mirror.test"] = lambda request: mirror(internet, request)
        folder = tmp_path_factory.mktemp("harvested")
        cli = Command(folder, tmp_path_factory.mktemp("aside"), internet.environ)
        home = Home(internet, cli, corals, kings)
        home.write_queries(QUERIES)
        account = home.get()
        assert [row["kept"] for row in account["classes"]] == [7, 24]
        yield home
        cli.close()


@pytest.fixture
def home(harvested: Home, cli_in: Command) -> Home:
    """Return a copy of the harvest, with the times of its files."""
    shutil.copytree(harvested.cli.folder, cli_in.folder, dirs_exist_ok=True)
    return Home(harvested.internet, cli_in, harvested.corals, harvested.kings)


@pytest.fixture
def cli_in(harvested: Home, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """Return the command in a temporary folder, on the test Internet that all tests here share."""
    command = Command(tmp_path, tmp_path_factory.mktemp("aside"), harvested.internet.environ)
    yield command
    command.close()
    assert not command.strays.exists()


def verdicts(account: dict[str, Any], class_name: str, provider: str) -> dict[str, int]:
    """Return the verdicts of the hits of a class at a source."""
    [line] = [x for x in account["lines"] if (x["class"], x["provider"]) == (class_name, provider)]
    return line["verdicts"]


def changes(status: dict[str, Any]) -> dict[str, int]:
    """Count the changes that `status` reports."""
    return {kind: len(each) for kind, each in status["changes"].items() if each}


def row(status: dict[str, Any], class_name: str) -> dict[str, int]:
    """Return the numbers of a class in the output of `status`."""
    [found] = [each for each in status["classes"] if each["class"] == class_name]
    return found


# ---- R01: deleted


def test_R01_a_deleted_picture_never_returns_from_its_address(home: Home) -> None:
    """Neither the same command nor --refresh requests a deleted image, from any source."""
    copy = home.corals.duplicates[0]
    for listing in (copy, home.kings[3], home.kings[4]):
        home.file(listing).unlink()
    assert home.get()["total"]["found"] == 0
    assert not home.downloads()
    account = home.get("--refresh")
    assert not home.downloads()
    assert verdicts(account, "coral", "BING")["rejected"] == len(home.same_photo(copy)) > 1
    assert verdicts(account, "king", "FLICKR")["rejected"] == 2
    assert len(pictures(home.out)) == 28


def test_R01_a_deleted_picture_never_returns_changed(home: Home) -> None:
    """An image deleted from one class returns to none, from any host, resized, re-encoded, cropped or framed."""
    gone = [home.corals.of("good")[0], home.kings[7]]
    addresses = [url for listing in gone for url in home.other_urls(listing)]
    for listing in gone:
        home.file(listing).unlink()
    before = snapshot(home.out)
    home.add_queries(f"coral,{home.write_url_list(*addresses)},URLS\nking,again.txt,URLS\n")
    account = home.get("-c", "URLS")
    for class_name in ("coral", "king"):
        assert verdicts(account, class_name, "URLS") == {"rejected": len(addresses)}
    assert snapshot(home.out) == before


def test_R01_other_addresses_of_a_deleted_photograph_are_not_even_asked(home: Home) -> None:
    """A photograph is recognised by its number on every host, in every size, and through image proxies."""
    flickr, bing = home.kings[9], home.corals.of("good")[1]
    address = home.address(flickr)
    for listing in (flickr, bing):
        home.file(listing).unlink()
    others = home.write_url_list(
        address.replace("_b.jpg", ".jpg"),
        address.replace("live.", "farm7."),
        address.replace("_b.jpg", "_z.jpg?zz=1"),
        bing.url.replace("https://", "https://i0.wp.com/") + "?w=640&ssl=1",
        bing.url.replace("https:", "http:"),
        f"{bing.url}?utm_source=feed#top",
    )
    home.add_queries(f"king,{others},URLS\n")
    account = home.get("-c", "URLS")
    assert not home.downloads()
    assert verdicts(account, "king", "URLS")["rejected"] >= 4  # those with the same key are one hit
    assert account["total"]["new"] == 0


def test_R01_status_tells_what_was_deleted_once(home: Home) -> None:
    """Between deleting and harvesting, `status` names and counts the images, once."""
    path = home.file(home.kings[0])
    path.unlink()
    status = home.status()
    assert status["changes"]["deleted"] == [{"class": "king", "name": path.name, "to": ""}]
    assert (row(status, "king")["kept"], row(status, "king")["rejected"]) == (23, 1)
    status = home.status()
    assert changes(status) == {}
    assert row(status, "king")["rejected"] == 1


# ---- R02: moved


def test_R02_a_moved_picture_stays_and_its_old_class_is_not_refilled(home: Home) -> None:
    """An image moved to another class stays unchanged, and no copy of it comes to the old class."""
    listing = home.corals.of("good")[3]
    path = home.file(listing)
    moved = path.rename(home.out / "king" / path.name)
    before = snapshot(home.out)
    home.add_queries(f"coral,{home.write_url_list(*home.other_urls(listing))},URLS\n")
    account = home.get("--refresh", "-c", "URLS")
    assert account["total"]["new"] == 0
    assert not home.internet.log.count(listing.url)
    assert snapshot(home.out) == before
    assert account["conflicts"] == 0, "who moved it has decided where it belongs"
    status = home.status()
    assert (row(status, "coral")["kept"], row(status, "king")["kept"], row(status, "king")["moved"]) == (6, 25, 1)
    assert moved.exists()


def test_R02_status_tells_where_a_picture_went(home: Home) -> None:
    """`status` names the image, its old place and its new one."""
    path = home.file(home.kings[5])
    path.rename(home.out / "coral" / path.name)
    [change] = home.status()["changes"]["moved"]
    assert change == {"class": "king", "name": path.name, "to": f"coral/{path.name}"}


# ---- R03: renamed, edited


def test_R03_a_renamed_file_is_recognised(home: Home) -> None:
    """A renamed image is the same image: not rejected, not downloaded, its source known."""
    listing = home.kings[6]
    path = home.file(listing).rename(home.out / "king" / "My best king.jpg")
    status = home.status()
    assert changes(status) == {"moved": 1}
    home.get("--refresh")
    assert not home.downloads()
    assert not decisions(home.out)
    assert path.exists()
    ran = home.cli("why", "dataset", path)
    assert ran.code == 0, ran.err
    assert home.address(listing) in ran.out


def test_R03_an_edited_picture_is_never_touched(home: Home) -> None:
    """An image edited in place is not rejected, keeps its bytes, and is not replaced by a larger copy."""
    listing = home.corals.of("good")[4]
    path = home.file(listing)
    path.write_bytes(encoded(photo(300, 200, seed=77)))
    before = snapshot(home.out)
    home.add_queries(f"coral,{home.write_url_list(*home.other_urls(listing))},URLS\n")
    account = home.get("--refresh", "-c", "URLS")
    assert verdicts(account, "coral", "URLS") == {"duplicate": len(WAYS)}
    assert not home.internet.log.count(listing.url)
    assert snapshot(home.out) == before
    assert {action for _, action in decisions(home.out)} == {"edit"}
    assert row(home.status(), "coral")["edited"] == 1


# ---- R04: a class with a new name


def test_R04_nothing_is_fetched_for_a_renamed_class(home: Home) -> None:
    """A renamed class folder is reported, and nothing is searched for it; other classes continue."""
    (home.out / "coral").rename(home.out / "venomous")
    status = home.status()
    assert status["renamed"] == {"coral": "venomous"}
    assert changes(status) == {}
    account = home.get("--refresh")
    [note] = account["notes"]
    assert "coral" in note
    assert "venomous" in note
    assert not home.internet.log.to(home.internet.bing.host)
    assert home.internet.log.to(home.internet.flickr.host)
    assert not (home.out / "coral").exists()
    assert not decisions(home.out) or {action for _, action in decisions(home.out)} == {"rename_class"}


def test_R04_once_the_query_file_agrees_nothing_is_fetched_twice(home: Home) -> None:
    """Under its new name in the query file, the class continues with its existing images."""
    (home.out / "coral").rename(home.out / "venomous")
    home.status()
    home.write_queries(QUERIES.replace("coral,", "venomous,"))
    account = home.get("--refresh")
    assert account["notes"] == []
    assert not home.downloads()
    assert verdicts(account, "venomous", "BING") == {"had": 10, "gone": 1}
    assert account["classes"][0]["kept"] == 7


# ---- R05: the user's own images


def test_R05_own_pictures_are_compared_with_and_left_alone(home: Home) -> None:
    """The user's own images count, keep their bytes, and no copy of them is downloaded."""
    results = home.internet.addresses(2, "own")
    own = home.out / "coral" / "IMG 0001.JPEG"
    own.write_bytes(results[0].photo.changed("smaller"))
    (home.out / "mine").mkdir()
    (home.out / "mine" / "a.png").write_bytes(encoded(photo(seed=5), "PNG"))
    status = home.status()
    assert changes(status) == {"added": 2}
    assert (row(status, "coral")["own"], row(status, "mine")["own"]) == (1, 1)
    before = snapshot(home.out)
    home.add_queries(f"coral,{home.write_url_list(*home.other_urls(results[0]), results[1].url)},URLS\n")
    account = home.get("--refresh", "-c", "URLS")
    assert verdicts(account, "coral", "URLS") == {"duplicate": len(WAYS), "kept": 1}
    after = snapshot(home.out)
    assert {path: after[path] for path in before} == before


# ---- R06: another query file


def test_R06_pictures_of_a_row_that_is_gone_stay(home: Home) -> None:
    """A class that was removed from the query file keeps its images, and is not searched."""
    before = snapshot(home.out)
    home.write_queries(QUERIES.replace("king,king snake,FLICKR\n", ""))
    account = home.get("--refresh")
    assert [each["class"] for each in account["classes"]] == ["coral"]
    assert not home.internet.log.to(home.internet.flickr.host)
    assert snapshot(home.out) == before
    assert changes(home.status()) == {}


def test_R06_a_higher_limit_fetches_only_the_difference(home: Home) -> None:
    """With a larger limit, a source is searched again, and only new images are downloaded."""
    results = home.internet.addresses(6, "limit")
    home.add_queries(f"more,{home.write_url_list(*results.urls)},URLS\n")
    home.get("-c", "URLS", "-m", "4")
    assert sorted(home.downloads()) == sorted(results.urls[:4])
    account = home.get("-c", "URLS", "-m", "6")
    assert sorted(home.downloads()) == sorted(results.urls[4:])
    assert verdicts(account, "more", "URLS") == {"had": 4, "kept": 2}


def test_R06_a_higher_target_goes_on_from_what_is_kept(home: Home) -> None:
    """A larger target adds the missing images, requests no existing ones, and none returns."""
    results = home.internet.addresses(8, "target")
    home.write_queries(f"class,query,providers\nmore,{home.write_url_list(*results.urls)},URLS\n")
    home.get("-c", "URLS", "--target", "3")
    first = sorted((home.out / "more").iterdir())
    assert len(first) == 3
    had = {source_of(path.read_bytes()) for path in first}
    first[0].unlink()
    home.get("-c", "URLS", "--target", "5")
    assert not had & set(home.downloads())
    assert len(list((home.out / "more").iterdir())) == 5
    assert not first[0].exists()


# ---- R07: no file of the user is ever deleted


def test_R07_no_command_touches_what_is_not_ours(home: Home) -> None:
    """Unknown files in every place survive all commands, unchanged."""
    ours = home.file(home.kings[1])
    listing = home.corals.of("good")[5]
    taken = home.file(listing)
    strangers = {
        home.out / "notes.txt": b"mine",
        home.out / ".DS_Store": b"\0\0\0\1Bud1",
        home.out / "coral" / "Thumbs.db": b"\xd0\xcf\x11\xe0",
        home.out / "coral" / "broken.jpg": b"\xff\xd8\xff not a picture",
        home.out / "coral" / "deeper" / "own.jpg": encoded(photo(seed=1)),
        home.out / "coral" / f"{ours.stem}-2.jpg": encoded(photo(seed=2)),
        home.out / "king" / ".harvest-0.part.jpg": encoded(photo(seed=3)),
        home.out / ".ipynb_checkpoints" / "x.jpg": encoded(photo(seed=4)),
        home.rejected_folder / "king" / "own.jpg": encoded(photo(seed=5)),
        home.rejected_folder / "list.txt": b"why",
        taken: encoded(photo(seed=6)),  # replaces one of ours
    }
    for path, data in strangers.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    home.add_queries(f"coral,{home.write_url_list(*home.other_urls(listing))},URLS\n")
    home.status()
    home.get("--refresh", "-c", "URLS")
    ours.unlink()
    home.status("--accept-missing")
    restored = home.cli("restore", "dataset", f"king/{ours.name}")
    assert restored.code == 0, restored.err
    home.get("--refresh", "--accept-missing", "-c", "URLS")
    assert {path: path.read_bytes() for path in strangers} == strangers


# ---- P09: missing, not deleted


def test_P09_a_missing_class_folder_stops_everything(home: Home) -> None:
    """With a missing class folder nothing is requested or recorded, exit code 3; once it is back all is as before."""
    away = (home.out / "king").rename(home.cli.folder / "drive")
    ran = home.cli("-c", "BING", "-c", "FLICKR", "--refresh", "snakes.csv", FLICKR_API_KEY=home.internet.flickr.key)
    assert ran.code == 3
    assert "24 of 24 images of king are gone" in ran.err
    assert "--accept-missing" in ran.err
    status = home.status(code=3)
    assert "24 of 24" in status["missing_files"]
    assert not decisions(home.out)
    assert not (home.out / "king").exists()
    away.rename(home.out / "king")
    status = home.status()
    assert (changes(status), status["missing_files"]) == ({}, "")
    account = home.get("--refresh")
    assert not home.downloads()
    assert (account["total"]["had"], account["total"]["dead"]) == (34, 1)
    assert not decisions(home.out)


def test_P09_an_emptied_tree_stops_everything_before_anybody_is_asked(home: Home) -> None:
    """With a ledger but no image left, no source is contacted."""
    for folder in ("coral", "king"):
        shutil.rmtree(home.out / folder)
        (home.out / folder).mkdir()
    home.internet.log.clear()
    ran = home.cli("-c", "BING", "--refresh", "snakes.csv")
    assert ran.code == 3
    assert not home.internet.log.to()
    assert not decisions(home.out)


def test_P09_a_person_who_means_it_is_believed(home: Home) -> None:
    """With --accept-missing the images of a whole class are rejected, and none of them returns."""
    shutil.rmtree(home.out / "king")
    account = home.get("--refresh", "--accept-missing")
    assert verdicts(account, "king", "FLICKR") == {"rejected": 24}
    assert not home.downloads()
    assert not (home.out / "king").exists()
    assert Counter(decisions(home.out)) == {("files", "reject"): 24}
    assert home.status()["missing_files"] == ""


# ---- moved to dataset.rejected, and back


def test_R01_dragged_to_the_rejected_and_back(home: Home) -> None:
    """An image moved to dataset.rejected is not requested; moved back it is present, as before."""
    listing = home.kings[11]
    path = home.file(listing)
    data = path.read_bytes()
    results = home.rejected_folder / "king"
    results.mkdir(parents=True)
    path.rename(results / path.name)
    assert changes(home.status()) == {"rejected": 1}
    account = home.get("--refresh")
    assert not home.downloads()
    assert verdicts(account, "king", "FLICKR") == {"had": 23, "rejected": 1}
    (results / path.name).rename(path)
    status = home.status()
    assert changes(status) == {"restored": 1}
    assert (row(status, "king")["kept"], row(status, "king")["rejected"]) == (24, 0)
    account = home.get("--refresh")
    assert verdicts(account, "king", "FLICKR") == {"had": 24}
    assert path.read_bytes() == data
