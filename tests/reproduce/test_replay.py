"""`harvest replay`: the dataset of a recipe is built again from the small Internet."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest.api import harvest
from harvest.dataset import Dataset, save_split_in_ledger
from harvest.errors import CannotWrite, RecipeError, UsageError
from harvest.files import disk
from harvest.ledger.expected_images_tables import RebuildTable
from harvest.models import Query
from harvest.reproduce.replay_recipe import replay_recipe
from harvest.reproduce.write_recipe import write_recipe
from tests import datasets
from tests.reproduce.in_process import run_command
from tests.web import Answer, Internet, Photo

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.internet.proxy_server import Request
    from tests.web import ResultList

RULE = "10% 10% seed 1"


class World:
    """A harvested dataset with decisions, its recipe, and the Internet that it came from."""

    def __init__(self, folder: Path, internet: Internet) -> None:
        self.internet = internet
        self.root, self.folder = folder / "snakes", folder
        self.kings: ResultList = internet.bing.add_results("king snake", 12, dead=1, html=1, changed=2, copy=1)
        self.corals: ResultList = internet.bing.add_results("coral snake", 6)
        queries = [Query("king snake", "king"), Query("coral snake", "coral")]
        summary = harvest(queries, "BING", self.root)
        assert summary.exit_code == 0
        self._decide()
        self.recipe = write_recipe(self.root, folder / "recipe.jsonl").path
        self.tree = datasets.tree(self.root)

    def _decide(self) -> None:
        """Reject two images, move one, rate one, and assign one to a split."""
        with Dataset.open(self.root) as dataset:
            rows = [row for row in dataset.recipe_rows.images() if row.class_name == "king"]
            self.rejected = rows[0]
            dataset.reject([rows[0].id], by="page")
            (self.root / "king" / rows[1].name).unlink()
            dataset.move([rows[2].id], "coral", by="page")
            dataset.decide("rate", [rows[3].id], by="page", value=8)
            self.moved, self.rated = rows[2], rows[3]
        save_split_in_ledger(self.root, RULE, {self.rated.content: "test"})
        with Dataset.open(self.root) as dataset:
            assert dataset.changes.counts()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Internet() as internet, pytest.MonkeyPatch.context() as patch:
        for name, value in internet.environ.items():
            patch.setenv(name, value)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("settings")))
        yield World(tmp_path_factory.mktemp("world"), internet)


@pytest.fixture
def web(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Lead this test to the Internet of the module, and undo what it changes there."""
    for name, value in world.internet.environ.items():
        monkeypatch.setenv(name, value)
    sites, by_url = dict(world.internet.sites), dict(world.internet.catalogue._by_url)
    yield world
    world.internet.sites = sites
    world.internet.catalogue._by_url = by_url


def serve(world: World, url: str, data: bytes | None) -> None:
    """Make an address serve other bytes, or nothing."""
    host, _, route = url.partition("://")[2].partition("/")
    domain = world.internet.sites.get(host) or world.internet._site(host)
    world.internet.sites[host] = lambda request: (
        domain(request)
        if request.route != f"/{route}"
        else Answer(b"", status=404)
        if data is None
        else Answer(data, kind="image/jpeg")
    )


def origins(world: World) -> list[str]:
    """Return the addresses of the images in the dataset, in the order of the recipe."""
    lines = [json.loads(line) for line in world.recipe.read_bytes().splitlines()]
    results = {line["id"]: line["url"] for line in lines if line["kind"] == "result"}
    return [results[line["result"]] for line in lines if line["kind"] == "image" and "result" in line]


def test_an_unchanged_web_gives_the_same_tree(web: World, tmp_path: Path) -> None:
    """The rebuilt class folders are byte-identical, and only the images of the dataset are downloaded."""
    before = {url: web.internet.log.count(url) for url in (*web.kings.urls, *web.corals.urls)}
    summary = replay_recipe(web.recipe, tmp_path / "again")
    downloaded = {url for url, count in before.items() if web.internet.log.count(url) > count}
    assert downloaded == set(origins(web))
    assert datasets.tree(tmp_path / "again") == web.tree
    assert summary.exit_code == 0
    assert summary.line == f"{len(web.tree)} of {len(web.tree)} identical, 0 changed, 0 gone"


def test_the_rebuilt_dataset_has_the_decisions(web: World, tmp_path: Path) -> None:
    """Rejections, moves, ratings and splits apply, nothing rejected comes back, and its recipe has the same hashes."""
    root = tmp_path / "again"
    replay_recipe(web.recipe, root)
    summary = harvest([Query("king snake", "king"), Query("coral snake", "coral")], "BING", root, refresh=True)
    assert datasets.tree(root) == web.tree
    assert summary.total().columns()["before"] >= 2
    with Dataset.open(root) as dataset:
        rated = dataset.picture_history(dataset.find_file("king", web.rated.name))
        assert [event.action for event in rated.events] == ["rate"]
        assert dataset.find_file("coral", web.moved.name) is not None
        assert {row.content for row in dataset.recipe_rows.images() if row.state == "rejected"} >= {
            web.rejected.content
        }
        assert dataset.recipe_rows.splits() == [(RULE, web.rated.content, "test")]
        ratings = {row.content: row.rating for row in dataset.recipe_rows.images()}
        assert ratings[web.rated.content] == 8
    again = write_recipe(root, tmp_path / "again.jsonl").path.read_text("utf-8")
    assert all(row in again for row in (web.rated.content, web.rejected.content))


def test_changed_smaller_and_gone_images_are_reported(
    web: World, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Another image, a smaller one and a missing one are named and not placed; the command exits with 3."""
    changed, smaller, gone = origins(web)[:3]
    serve(web, changed, Photo(900).body)
    serve(web, smaller, reduce(web.internet.catalogue.at(smaller).body))
    serve(web, gone, None)
    assert run_command("replay", web.recipe, "-o", tmp_path / "again", "-q") == 3
    out = capsys.readouterr().out
    total = len(web.tree)
    assert out.splitlines()[-1] == f"{total - 3} of {total} identical, 1 changed, 1 smaller, 1 gone"
    assert all(url in out for url in (changed, smaller, gone))
    assert len(datasets.tree(tmp_path / "again")) == total - 3
    assert datasets.tree(tmp_path / "again").items() <= web.tree.items()


def test_a_later_run_gets_what_is_back(web: World, tmp_path: Path) -> None:
    """The same command tries again what was gone or changed, and downloads nothing that it has."""
    first, second = origins(web)[:2]
    serve(web, first, None)
    replay_recipe(web.recipe, tmp_path / "again")
    web.internet.sites.pop(first.split("/")[2])
    before = web.internet.log.count(second), web.internet.log.count(first)
    assert replay_recipe(web.recipe, tmp_path / "again").exit_code == 0
    assert (web.internet.log.count(second), web.internet.log.count(first)) == (before[0], before[1] + 1)
    assert datasets.tree(tmp_path / "again") == web.tree


def test_a_changed_image_is_placed_only_if_accepted(web: World, tmp_path: Path) -> None:
    """With `accept_changed` another image is placed, without the rating of the one that it is not."""
    with Dataset.open(web.root) as dataset:
        history = dataset.picture_history(dataset.find_file("king", web.rated.name))
    serve(web, history.sources[0].url, Photo(901).body)
    summary = replay_recipe(web.recipe, tmp_path / "again", accept_changed=True)
    assert (summary.counts["changed"], summary.exit_code) == (1, 3)
    assert len(datasets.tree(tmp_path / "again")) == len(web.tree)
    with Dataset.open(tmp_path / "again") as dataset:
        assert not any(row.rating for row in dataset.recipe_rows.images())


def test_the_archive_is_asked_for_what_is_gone(web: World, tmp_path: Path) -> None:
    """With `archive`, the archived bytes of a missing image make the same tree; only missing ones are asked for."""
    gone, lost = origins(web)[:2]
    body = web.internet.catalogue.at(gone).body
    for url in (gone, lost):
        serve(web, url, None)
    asked = []

    def answer_availability(request: Request) -> Answer:
        asked.append(request.fields["url"])
        closest = {
            "available": True,
            "status": "200",
            "timestamp": "20240131120000",
            "url": "http://127.0.0.1/evil.jpg",
        }
        found = {"closest": closest} if request.fields["url"] == gone else {}
        return Answer(json.dumps({"archived_snapshots": found}).encode(), kind="application/json")

    def answer_copy(request: Request) -> Answer:
        right = request.url.removeprefix("https://web.archive.org") == f"/web/20240131120000id_/{gone}"
        return Answer(body, kind="image/jpeg") if right else Answer(b"", status=404)

    web.internet.sites |= {"archive.org": answer_availability, "web.archive.org": answer_copy}
    summary = replay_recipe(web.recipe, tmp_path / "again", archive=True)
    assert sorted(asked) == sorted([gone, lost])
    assert summary.counts == {"same": len(web.tree) - 1, "gone": 1}
    assert not web.internet.log.to("127.0.0.1")


def test_a_full_disk_in_the_middle_is_resumed(web: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle, the run says so, and the same command completes the same tree."""
    write, calls = disk.write, []

    def fill(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", fill)
        with pytest.raises(CannotWrite, match="No space left"):
            replay_recipe(web.recipe, tmp_path / "again")
    placed = datasets.tree(tmp_path / "again")
    assert placed.items() <= web.tree.items()
    assert not list((tmp_path / "again").glob(".*.part"))
    assert replay_recipe(web.recipe, tmp_path / "again").exit_code == 0
    assert datasets.tree(tmp_path / "again") == web.tree


def test_a_kill_before_the_results_are_recorded_is_resumed(
    web: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a killed run placed is settled by the next one: nothing is downloaded or placed twice."""

    def kill(_: RebuildTable, hits: list[int]) -> None:
        if hits:
            raise SystemError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(RebuildTable, "settle", kill)
        with pytest.raises(SystemError, match="killed"):
            replay_recipe(web.recipe, tmp_path / "again")
    placed = datasets.tree(tmp_path / "again")
    summary = replay_recipe(web.recipe, tmp_path / "again")
    assert placed
    assert (summary.exit_code, summary.total) == (0, len(web.tree))
    assert datasets.tree(tmp_path / "again") == web.tree
    with Dataset.open(tmp_path / "again") as dataset:
        assert sum(dataset.counts().values()) == len(web.tree)


def test_a_hostile_recipe_creates_nothing(web: World, tmp_path: Path) -> None:
    """A recipe with one invalid line is refused before anything is created or requested."""
    lines = web.recipe.read_bytes().splitlines(keepends=True)
    path = tmp_path / "hostile.jsonl"
    path.write_bytes(b"".join(lines[:-2]) + b'{"kind":"image","class":"../../x"}\n' + lines[-1])
    before = len(web.internet.log.to("*"))
    with pytest.raises(RecipeError, match=r"hostile\.jsonl line \d+: "):
        replay_recipe(path, tmp_path / "again")
    assert not (tmp_path / "again").exists()
    assert len(web.internet.log.to("*")) == before


def test_another_dataset_is_not_touched(web: World, tmp_path: Path) -> None:
    """A folder that is another dataset is refused, and is unchanged."""
    root = datasets.copied(tmp_path / "other", king=range(2))
    before = datasets.tree(root)
    with pytest.raises(UsageError, match="another dataset"):
        replay_recipe(web.recipe, root)
    assert datasets.tree(root) == before


def test_nothing_is_built_inside_a_dataset(web: World) -> None:
    """A dataset inside the folder of another would be a class of it."""
    with pytest.raises(UsageError, match="is inside the dataset"):
        replay_recipe(web.recipe, web.root / "again")
    assert not (web.root / "again").exists()


def test_a_missing_recipe_is_a_usage_error(tmp_path: Path) -> None:
    """A path without a file is refused, and nothing is created."""
    with pytest.raises(UsageError, match="there is no recipe"):
        replay_recipe(tmp_path / "none.jsonl", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def reduce(body: bytes) -> bytes:
    """Return an image at three quarters of its size."""
    with Image.open(io.BytesIO(body)) as image:
        small = image.resize((image.width * 3 // 4, image.height * 3 // 4))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return file.getvalue()
