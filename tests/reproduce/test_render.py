"""`harvest render`: a dataset in another size, from the originals that were kept."""

from __future__ import annotations

import io
import shutil
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from harvest.dataset import Dataset, save_split_in_ledger
from harvest.errors import CannotWrite, UsageError
from harvest.files import disk
from harvest.harvesting.deduplicate import Deduplicator
from harvest.images import process_image
from harvest.models import Outcome, Recipe
from harvest.reproduce.render_dataset import render_dataset
from tests import datasets
from tests.reproduce.in_process import run_command
from tests.reproduce.photo_datasets import place
from tests.web import Photo

if TYPE_CHECKING:
    from pathlib import Path

    from tests.web import Internet

RULE = "10% 10% seed 1"


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    """Return a copy of the dataset of this module."""
    for folder in template.iterdir():
        shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path / "snakes"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a dataset with originals, an image that a person added, a rejection, a move, an edit and a rating."""
    root = tmp_path_factory.mktemp("template") / "snakes"
    keep = Recipe(size=100, keep_original=True)
    pictures = place(root, *map(datasets.a_hit, range(1, 6)), recipe=keep)
    place(root, datasets.a_hit(11), recipe=keep, class_name="coral")
    with Dataset.open(root) as dataset:
        ids = [row.id for row in dataset.recipe_rows.images()]
        dataset.reject([ids[0]], by="page")
        dataset.move([ids[1]], "coral", by="page")
        dataset.decide("rate", [ids[2]], by="page", value=8)
    (root / "king" / "mine.jpg").write_bytes(datasets.jpeg(77))
    edited = root / "king" / f"bing-{pictures[3].content[:12]}.jpg"
    edited.write_bytes(datasets.jpeg(78, 60))
    save_split_in_ledger(root, RULE, {pictures[2].content: "test"})
    with Dataset.open(root) as dataset:
        assert dataset.changes.counts()
    return root.parent


def sizes(root: Path) -> dict[str, list[tuple[int, int]]]:
    """Return the sizes of the images of each class."""
    return {
        folder.name: sorted(Image.open(io.BytesIO(path.read_bytes())).size for path in folder.iterdir())
        for folder in sorted(root.iterdir())
        if folder.is_dir()
    }


def test_images_are_made_from_their_originals(root: Path, tmp_path: Path) -> None:
    """Every image has the new size, as a harvest gives it, without the network; the source is unchanged."""
    before = datasets.tree(tmp_path)
    summary = render_dataset(root, tmp_path / "large", size=200)
    assert (summary.exit_code, summary.total) == (0, 6)
    assert sizes(tmp_path / "large") == {"coral": [(200, 200)] * 2, "king": [(24, 24)] + [(200, 200)] * 3}
    expected = process_image(Photo(11).body, datasets.a_hit(11), Recipe(size=200))
    assert expected.data in datasets.tree(tmp_path / "large").values()
    after = {path: data for path, data in datasets.tree(tmp_path).items() if not path.startswith("large")}
    assert after == before


def test_padding_and_quality_are_chosen(root: Path, tmp_path: Path) -> None:
    """Without padding the aspect ratio stays, and a lower quality gives smaller files."""
    render_dataset(root, tmp_path / "wide", size=200, pad=False, quality=30)
    render_dataset(root, tmp_path / "fine", size=200, pad=False, quality=95)
    assert sizes(tmp_path / "wide")["coral"] == [(200, 160)] * 2
    small, large = (sum(map(len, datasets.tree(tmp_path / name).values())) for name in ("wide", "fine"))
    assert small < large / 2


def test_decisions_are_kept(root: Path, tmp_path: Path) -> None:
    """Rejections with their fingerprints, moves, ratings, splits and the user's own files are in the new dataset."""
    render_dataset(root, tmp_path / "large", size=200)
    with Dataset.open(tmp_path / "large") as dataset:
        rows = list(dataset.recipe_rows.images())
        rejected = [row for row in rows if row.state == "rejected"]
        rated = [row for row in rows if row.rating]
        own = [row for row in rows if row.is_own]
        assert [(row.class_name, row.fingerprint is not None) for row in rejected] == [("king", True)]
        assert [(row.rating, row.is_reviewed, row.is_touched) for row in rated] == [(8, True, True)]
        assert [row.name for row in own] == ["mine.jpg"]
        assert dataset.recipe_rows.splits() == [(RULE, rated[0].content, "test")]
    with Dataset.open(tmp_path / "large", exclusive=True) as dataset:
        (task,) = datasets.find(dataset, [datasets.a_hit(1, url="https://new.example/1.jpg", source="y")])
        found = process_image(Photo(1).changed("thumbnail"), task.hit, Recipe(min_size=1))
        assert Deduplicator(dataset).record_outcomes([Outcome(task, found)]) == ["rejected"]


def test_a_missing_original_is_downloaded(tmp_path: Path, internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """An image whose original is missing or changed is downloaded again, and compared; the others are not."""
    for name, value in internet.environ.items():
        monkeypatch.setenv(name, value)
    listings = list(internet.addresses(3))
    hits = [datasets.a_hit(each.photo.number, url=each.url, source=f"url:{each.url}") for each in listings]
    place(tmp_path / "snakes", *hits, recipe=Recipe(size=100, keep_original=True))
    originals = {path.read_bytes(): path for path in (tmp_path / "snakes.raw" / "king").iterdir()}
    originals[listings[0].photo.body].unlink()
    originals[listings[1].photo.body].write_bytes(Photo(999).body)
    assert render_dataset(tmp_path / "snakes", tmp_path / "large", size=200).exit_code == 0
    assert [internet.log.count(each.url) for each in listings] == [1, 1, 0]
    assert sizes(tmp_path / "large") == {"king": [(200, 200)] * 3}


def test_a_full_disk_leaves_nothing_that_looks_finished(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk is full in the middle there is no OUT, and the same command completes the same tree."""
    render_dataset(root, tmp_path / "whole", size=200)
    write, calls = disk.write, []

    def fill(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write", fill)
        with pytest.raises(CannotWrite, match="No space left"):
            render_dataset(root, tmp_path / "large", size=200)
    assert not (tmp_path / "large").exists()
    with pytest.raises(UsageError, match="left from another command"):
        render_dataset(root, tmp_path / "large", size=300)
    assert render_dataset(root, tmp_path / "large", size=200).exit_code == 0
    assert datasets.tree(tmp_path / "large") == datasets.tree(tmp_path / "whole")
    assert not (tmp_path / "large.part").exists()


def test_a_kill_between_the_renames_is_completed(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished dataset that was killed before it had its name gets it by the same command."""
    replace = disk.replace

    def kill(source: Path, target: Path) -> None:
        if target.name == "large":
            raise SystemError("killed")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "replace", kill)
        with pytest.raises(SystemError, match="killed"):
            render_dataset(root, tmp_path / "large", size=200, keep_originals=True)
    assert (tmp_path / "large.raw").exists()
    assert render_dataset(root, tmp_path / "large", size=200, keep_originals=True).exit_code == 0
    assert len(datasets.tree(tmp_path / "large")) == 6
    assert len(datasets.tree(tmp_path / "large.raw")) == 5


def test_an_existing_folder_is_refused(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """A folder that exists is not touched, and the message says what to do."""
    (tmp_path / "there").mkdir()
    assert run_command("render", root, "-s", 200, "-o", tmp_path / "there") == 2
    err = capsys.readouterr().err
    assert "exists already. Nothing was changed." in err
    assert "Name a new folder with -o." in err
    assert not list((tmp_path / "there").iterdir())


def test_the_command_prints_the_result_in_its_last_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """`harvest render` ends with the counts."""
    assert run_command("render", root, "-s", 200, "--pad", "-o", tmp_path / "large", "-q") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "6 of 6 rendered, 0 changed, 0 gone"
