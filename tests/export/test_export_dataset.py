"""The core of an export: which images, with which records, under which split, and that it is complete or absent."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from harvest import export_dataset
from harvest.errors import CannotWrite, LedgerUnusable, MissingFiles, StorageError, UsageError
from harvest.export.export_dataset import prepare_export
from harvest.export.export_options import ExportOptions
from harvest.export.part_folder import write_folder
from harvest.export.place_image import place_image
from harvest.files import disk
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.load_pictures import load_pictures
from harvest.splits.persist import load_split
from harvest.splits.split_images import make_split
from harvest.splits.split_rule import USUAL
from tests.datasets import sha, tree

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.records import ExportDataset


@pytest.fixture(scope="module")
def exported(template: Path) -> ExportDataset:
    return prepare_export(template, ExportOptions(nd=True))


def test_a_record_has_everything_that_the_ledger_knows(exported: ExportDataset) -> None:
    """Licence, author, source, query, size and changes of an image are in its record."""
    (image,) = (each for each in exported.images if each.author == "Ada 200")

    assert (image.class_name, image.provider, image.query, image.rank) == ("coral", "FLICKR", "coral wild", 200)
    assert (image.spdx, image.evidence, image.licence_url) == (
        "CC-BY-2.0",
        "stated",
        "https://creativecommons.org/licenses/by/2.0/",
    )
    assert image.page_url == "https://flickr.com/photos/someone/200"
    assert image.image_url == "https://pictures.example.com/200.jpg"
    assert (image.width, image.height, image.original_width, image.original_height) == (24, 24, 240, 240)
    assert image.changes == "resized to 24 px, re-encoded as JPEG"
    assert image.content == sha(image.path.read_bytes())
    assert image.bytes == image.path.stat().st_size
    assert image.fetched.startswith("20")


def test_an_unknown_licence_is_not_guessed(exported: ExportDataset) -> None:
    """An unknown licence, and one that only a search filter claims, is NOASSERTION; an unlisted one a LicenseRef."""
    by_author = {image.author: image for image in exported.images}
    own = [image for image in exported.images if image.provider == "own"]

    assert by_author["Ada 205"].spdx == "NOASSERTION"
    assert by_author["Ada 205"].evidence == "claimed"
    assert by_author["Ada 203"].spdx == "LicenseRef-CC-BY-3.0-BR"
    assert [(image.spdx, image.evidence) for image in own] == [("NOASSERTION", "unknown")]


def test_file_names_suit_every_format(exported: ExportDataset) -> None:
    """Every name is unique whatever the case, and its stem has no dot, space or bracket."""
    stems = [image.stem.casefold() for image in exported.images]

    assert len(set(stems)) == len(stems)
    assert all(image.file_name == f"{image.stem}.jpg" for image in exported.images)
    assert "my_own_1_v2.jpg" in {image.file_name for image in exported.images}


def test_texts_from_outside_are_one_clean_line(exported: ExportDataset) -> None:
    """Control and direction characters, line breaks and what would end a link are not in a record."""
    (image,) = (each for each in exported.images if each.author == "Eve | *")

    assert "\n" not in image.title
    assert "\x1b" not in image.title
    assert "\u202e" not in image.title
    assert image.page_url == "https://example.org/a%28b%29%7Cc"


def test_the_split_is_that_of_a_training(root: Path) -> None:
    """A dataset that was never trained gets the split that train.py would make, and the ledger remembers it."""
    exported = prepare_export(root, ExportOptions(nd=True))

    pictures = load_pictures(root, say=print)
    groups = find_leak_groups(pictures, say=print)
    made = make_split(pictures, groups, valid=20, test=10, seed=42, remembered={})
    expected = {each.content: str(part) for each, part in zip(pictures.examples, made.parts, strict=True)}
    names = {"train": "train", "validation": "valid", "test": "test"}
    assert {image.content: names[image.split] for image in exported.images} == expected
    assert {content: str(part) for content, part in load_split(pictures, rule=USUAL).items()} == expected
    assert set(expected.values()) == {"train", "valid", "test"}


def test_a_remembered_split_is_kept(root: Path) -> None:
    """The export uses the parts that the ledger has, not those that it would assign."""
    prepare_export(root, ExportOptions())
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE split SET part = CASE part WHEN 'test' THEN 'valid' ELSE part END")

    assert "test" not in prepare_export(root, ExportOptions()).splits


def test_the_split_of_another_rule_is_mentioned(root: Path) -> None:
    """Where trainings used other percentages, the export says so; with the same ones, it uses their split."""
    prepare_export(root, ExportOptions(valid=10, test=0))
    messages: list[str] = []

    prepare_export(root, ExportOptions(seed=7), say=messages.append)
    assert any("by other rules" in text and "valid 10 test 0 seed 42" in text for text in messages)

    messages.clear()
    assert "test" not in prepare_export(root, ExportOptions(valid=10, test=0), say=messages.append).splits
    assert not any("by other rules" in text for text in messages)


def test_a_damaged_ledger_gives_clean_records(root: Path) -> None:
    """Values of wrong types and hostile licences in the ledger read as missing, or as names without a path."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE hit SET title = x'ff00', author = x'00', page = 'javascript:alert(1)', rank = 'first'")
        ledger.execute("UPDATE hit SET licence_url = 'file:///etc/passwd', evidence = 'sworn'")
        ledger.execute("UPDATE picture SET licence = '../../../etc/passwd', source_type = 5, rating = 4000")

    exported = export_dataset(root, root.parent / "out", to="imagefolder")

    for image in (each for each in exported.dataset.images if each.provider != "own"):
        assert (image.title, image.author, image.page_url, image.licence_url, image.rank) == ("", "", "", "", 0)
        assert (image.evidence, image.rating) == ("unknown", 9)
        assert "/" not in image.spdx
    assert {path.parent for path in (root.parent / "out").rglob("*passwd*")} == {root.parent / "out" / "LICENSES"}


def test_no_group_spans_splits(template: Path) -> None:
    """The images of one photographer are in one split, and the export says that no group is divided."""
    messages: list[str] = []

    exported = prepare_export(template, ExportOptions(), say=messages.append)

    assert len({image.split for image in exported.images if image.author == "Grace"}) == 1
    assert exported.count_groups_across_splits() == 0
    assert "0 groups span splits" in messages


def test_licences_that_forbid_derivatives_are_left_out(template: Path) -> None:
    """Without --nd, no ND image is exported, and the number is said; with it, they are."""
    messages: list[str] = []

    exported = prepare_export(template, ExportOptions(), say=messages.append)

    assert not [image for image in exported.images if "ND" in image.spdx]
    assert "1 image left out: licence forbids derivatives (ND)" in messages
    assert [i for i in prepare_export(template, ExportOptions(nd=True)).images if i.spdx == "CC-BY-ND-2.0"]


@pytest.mark.parametrize(
    ("option", "licences"),
    [
        ("open", {"CC-BY-2.0", "CC0-1.0", "LicenseRef-CC-BY-3.0-BR"}),
        ("commercial", {"CC-BY-2.0", "CC0-1.0", "LicenseRef-CC-BY-3.0-BR", "CC-BY-ND-2.0"}),
        ("public-domain", {"CC0-1.0"}),
    ],
)
def test_the_licence_filter_is_that_of_a_harvest(template: Path, option: str, licences: set[str]) -> None:
    """--license leaves out what is not stated to have such a licence: what a search claims is not enough."""
    options = ExportOptions(licence=ExportOptions().licence.__class__(option), nd=option == "commercial")

    assert set(prepare_export(template, options).count_licences()) == licences


def test_ratings_and_reviews_are_filters(template: Path) -> None:
    """--min-rating and --reviewed-only leave out the images that nobody rated or reviewed."""
    assert [i.rating for i in prepare_export(template, ExportOptions(min_rating=7)).images] == [7]
    assert [i.is_reviewed for i in prepare_export(template, ExportOptions(reviewed_only=True)).images] == [True]
    with pytest.raises(UsageError, match="no image is left"):
        prepare_export(template, ExportOptions(min_rating=8))


def test_images_made_with_ai_can_be_left_out(root: Path) -> None:
    """--no-ai leaves out the images whose download stated that they were made with AI."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE picture SET source_type = 'trainedAlgorithmicMedia' WHERE class = 'king'")
    assert any(image.is_ai_generated for image in prepare_export(root, ExportOptions()).images)

    assert prepare_export(root, ExportOptions(accept_ai=False)).classes == ("coral",)


def test_unknown_licences_are_said_before_anything_is_written(template: Path, tmp_path: Path) -> None:
    """The number of NOASSERTION images is said while nothing of the export is on the disk."""
    seen = {}
    export_dataset(template, tmp_path / "out", say=lambda text: seen.update({text: list(tmp_path.iterdir())}))

    (before,) = (there for text, there in seen.items() if "without a known licence" in text)
    assert before == []


def test_files_are_hard_links(template: Path, tmp_path: Path) -> None:
    """An exported file takes no space on the same disk."""
    export_dataset(template, tmp_path / "out", to="imagefolder")

    files = list((tmp_path / "out").rglob("*/*/bing-*.jpg"))
    assert files
    assert all(file.stat().st_nlink > 1 for file in files)


@pytest.mark.parametrize("to", ["hf", "imagefolder"])
def test_a_repeated_export_is_identical(template: Path, tmp_path: Path, to: str) -> None:
    """Two exports of one dataset have the same files, byte for byte, and only those."""
    export_dataset(template, tmp_path / "a", to=to)
    export_dataset(template, tmp_path / "b", to=to)

    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert not list(tmp_path.rglob(".*"))


def test_nothing_is_overwritten(template: Path, tmp_path: Path) -> None:
    """An existing OUT, even an empty folder, is refused before the dataset is read."""
    (tmp_path / "out").mkdir()

    with pytest.raises(UsageError, match="is not overwritten"):
        export_dataset(template, tmp_path / "out")


@pytest.mark.parametrize("place", ["snakes/out", "snakes.rejected/out"])
def test_the_dataset_is_not_a_place_for_exports(root: Path, place: str) -> None:
    """A folder in a dataset would be a class."""
    with pytest.raises(UsageError, match="inside the dataset"):
        export_dataset(root, root.parent / place)


def test_a_full_disk_leaves_nothing(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the middle, neither OUT nor OUT.part is left, and the message says what to do."""
    placed = []

    def fail(*args: object, **_: object) -> None:
        placed.append(args)
        if len(placed) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        shutil.copyfile(*args)

    monkeypatch.setattr(disk, "link", fail)

    with pytest.raises(CannotWrite, match="No space left") as error:
        export_dataset(template, tmp_path / "out", to="imagefolder")

    assert error.value.hint.endswith("Free some space, then run the same command again.")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_export_leaves_nothing(template: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of the writing removes OUT.part."""

    def interrupt(step: str, done: int, _total: int) -> None:
        if step == "writing" and done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_dataset(template, tmp_path / "out", to="imagefolder", tick=interrupt)

    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_export_left_is_replaced(template: Path, tmp_path: Path) -> None:
    """The next export removes the OUT.part of a killed process, and finishes."""
    with write_folder(tmp_path / "first") as part:
        (part / "half").mkdir()
        (part / "half" / "image.jpg").write_bytes(b"half")
        shutil.copytree(part, tmp_path / "out.part")

    export_dataset(template, tmp_path / "out")

    assert not (tmp_path / "out" / "half").exists()
    assert not (tmp_path / "out.part").exists()


def test_a_folder_of_someone_else_is_not_removed(template: Path, tmp_path: Path) -> None:
    """An OUT.part that harvest did not make stays as it is."""
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "mine.txt").write_text("mine")

    with pytest.raises(UsageError, match="harvest did not make it"):
        export_dataset(template, tmp_path / "out")

    assert (tmp_path / "out.part" / "mine.txt").read_text() == "mine"


def test_two_exports_to_one_folder(tmp_path: Path) -> None:
    """A second export to the same folder is refused while the first one writes."""
    with write_folder(tmp_path / "out"):
        with pytest.raises(CannotWrite, match="is being written by process"), write_folder(tmp_path / "out"):
            pytest.fail("two processes write one folder")
        assert (tmp_path / "out.part").exists()


def test_many_missing_images_stop_the_export(root: Path) -> None:
    """When too many files are missing to be intended, nothing is exported, and the message names the way on."""
    shutil.rmtree(root / "coral")

    with pytest.raises(MissingFiles) as error:
        export_dataset(root, root.parent / "out")

    assert "--accept-missing" in error.value.hint
    assert not (root.parent / "out").exists()


def test_an_image_that_changes_during_the_export(exported: ExportDataset, tmp_path: Path) -> None:
    """A file that is deleted, changed or replaced by a link after it was read is refused by name."""
    image = next(iter(exported.images))
    copies = {name: tmp_path / f"{name}.jpg" for name in ("gone", "changed", "linked")}
    copies["changed"].write_bytes(b"other")
    copies["linked"].symlink_to(image.path)
    reasons = {"gone": "was deleted", "changed": "changed while", "linked": "replaced by a link"}

    for name, path in copies.items():
        other = image.__class__(path, *(getattr(image, field) for field in image.__slots__[1:]))
        with pytest.raises(StorageError, match=reasons[name]):
            place_image(other, tmp_path / "out" / f"{name}.jpg")


def test_the_cache_is_named_once(root: Path) -> None:
    """The export that creates the cache next to the dataset says where it is; the next one has nothing to say."""
    cache = root.with_name(f"{root.name}.runs") / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    for is_named in (True, False):
        messages: list[str] = []
        prepare_export(root, ExportOptions(), say=messages.append)
        assert any(f"kept in {cache}," in text for text in messages) is is_named
        assert cache.is_dir()


def test_links_are_not_exported(root: Path, tmp_path: Path) -> None:
    """Symbolic links in a class folder, and class folders that are links, are left out, with a message."""
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    shutil.copy(next((root / "king").iterdir()), secret / "secret.jpg")
    (root / "king" / "secret.jpg").symlink_to(secret / "secret.jpg")
    (root / "mamba").symlink_to(secret)
    messages: list[str] = []

    exported = prepare_export(root, ExportOptions(), say=messages.append)

    assert "mamba" not in exported.classes
    assert not [image for image in exported.images if "secret" in image.file_name]
    for path in ("king/secret.jpg", "mamba"):
        assert f"{path} is not exported: a symbolic link, which is not followed" in messages


def test_a_newer_ledger(root: Path) -> None:
    """A ledger of a newer harvest is refused, with the command that updates."""
    with closing(sqlite3.connect(root / "harvest.db")) as ledger:
        ledger.execute("PRAGMA user_version = 99")

    with pytest.raises(LedgerUnusable, match="newer harvest") as error:
        export_dataset(root, root.parent / "out")

    assert "pip install -U" in error.value.hint


def test_names_that_a_format_cannot_hold(root: Path) -> None:
    """Class names that differ only in case are refused for folders, and fine as labels in Parquet."""
    (root / "King").mkdir()
    shutil.copy(next((root / "coral").iterdir()), root / "King")

    with pytest.raises(UsageError, match="would be one folder on macOS and Windows"):
        export_dataset(root, root.parent / "out", to="imagefolder")


def test_an_unknown_format_suggests_another() -> None:
    """A misspelled format is refused before the dataset is opened."""
    with pytest.raises(UsageError, match="Did you mean imagefolder"):
        export_dataset("nowhere", "out", to="imagefolders")


def test_a_missing_package_is_one_line(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, the message has the command that installs it."""
    monkeypatch.setattr("harvest.export.export_dataset.find_spec", lambda _: None)

    with pytest.raises(UsageError) as error:
        export_dataset(template, tmp_path / "out")

    assert "needs pyarrow" in error.value.message
    assert error.value.hint == "Install it: pip install pyarrow"


def test_the_table_of_attributions_is_safe(template: Path, tmp_path: Path) -> None:
    """ATTRIBUTION.csv has the columns of Open Images first, and no value that a spreadsheet runs as a formula."""
    export_dataset(template, tmp_path / "out")

    with (tmp_path / "out" / "ATTRIBUTION.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:8] == (
        ["ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title"]
    )
    (row,) = (row for row in rows if row["Author"] == "Eve | *")
    assert row["Title"].startswith("'=HYPERLINK")
    assert (row["SPDX"], row["Evidence"], row["Provider"]) == ("CC-BY-2.0", "stated", "FLICKR")


def test_the_text_of_attributions_shows_hostile_titles_as_text(template: Path, tmp_path: Path) -> None:
    """A title with Markdown, HTML and a script address is shown as it is, and is not a link."""
    export_dataset(template, tmp_path / "out")

    text = (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    (line,) = (line for line in text.splitlines() if "HYPERLINK" in line)
    assert "<b>" not in line
    assert r"\[a\](javascript:x)" in line
    assert "[CC-BY-2.0](https://creativecommons.org/licenses/by/2.0/)" in line
