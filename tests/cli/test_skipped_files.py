"""Files in the class folders that cannot be decoded: named, skipped and never changed, by every command."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from harvest.dataset import Dataset
from harvest.dataset.compare_ledger_with_disk import ScanProgress
from harvest.files import place_and_list_files
from harvest.images import make_picture
from tests.bombs import without_palette
from tests.datasets import jpeg, name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]

COMMANDS = {
    "status": ("status",),
    "why": ("why", "dataset", name(0)),
    "restore": ("restore", "dataset"),
    "get": ("get", "queries.csv", "-c", "SAMPLE", "-m", "1"),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, root: Path, harvest: Harvest) -> tuple[str, ...]:
    """Give each command that opens a dataset, and for `get` a dataset whose fingerprints are real."""
    result: tuple[str, ...] = COMMANDS[request.param]
    if request.param == "get":
        (root.parent / "queries.csv").write_text("class,query\nking,king snake\n", "utf-8")
        shutil.rmtree(root)
        assert harvest(*result, "--new-ledger").code == 0  # the one before was deleted on purpose
    return result


def test_X08_a_file_that_cannot_be_decoded_is_named_and_skipped(
    command: tuple[str, ...], root: Path, harvest: Harvest
) -> None:
    """A PNG without its palette is reported with the reason, and the command continues."""
    file = root / "king" / "odd.png"
    file.write_bytes(without_palette())

    result = harvest(*command)

    assert result.code == 0
    assert "dataset/king/odd.png is skipped: PNG: it has no palette" in result.err
    assert file.read_bytes() == without_palette()


def test_X07_a_file_that_meets_a_bug_is_named_and_skipped(
    command: tuple[str, ...], root: Path, harvest: Harvest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception skips one file, which is named for a bug report."""
    (root / "king" / "odd.jpg").write_bytes(jpeg(501))
    look = make_picture.fingerprint.compute_fingerprint
    calls = iter([True])

    def fail_once(image: object) -> object:
        if next(calls, False):
            raise ZeroDivisionError("in the works")
        return look(image)

    monkeypatch.setattr(make_picture.fingerprint, "compute_fingerprint", fail_once)

    result = harvest(*command)

    assert result.code == 0
    assert "dataset/king/odd.jpg is skipped: internal error of harvest" in result.err
    assert "ZeroDivisionError: in the works" in result.err


def test_X07_a_bug_is_not_remembered(root: Path, harvest: Harvest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that triggered a bug is retried by the next command: a new version may have fixed it."""
    (root / "king" / "odd.jpg").write_bytes(jpeg(501))
    with monkeypatch.context() as broken:
        broken.setattr(make_picture.fingerprint, "compute_fingerprint", lambda _: 1 / 0)
        assert "is skipped" in harvest("status").err
        assert "is skipped" in harvest("status").err

    result = harvest("status")

    assert "is skipped" not in result.err
    assert "unreadable" not in result.out


def test_X08_status_lists_the_files_that_cannot_be_decoded(root: Path, harvest: Harvest) -> None:
    """`status` and its `--json` list unreadable files as long as they exist."""
    (root / "king" / "odd.png").write_bytes(without_palette())
    harvest("status")

    result = harvest("status")

    assert "unreadable: your own files that cannot be decoded; every command skips them" in result.lines
    assert "dataset/king/odd.png" in result.lines
    assert result.err == ""
    assert harvest("status", "--json").json["unreadable"] == [{"class": "king", "name": "odd.png"}]


def test_X08_many_files_are_not_all_named(root: Path, harvest: Harvest) -> None:
    """A folder of files that cannot be decoded does not flood the terminal."""
    for number in range(12):
        (root / "king" / f"odd{number:02}.png").write_bytes(without_palette())

    result = harvest("status")

    assert result.err.count("is skipped:") == 5
    assert "7 more files are skipped" in result.err


# ---- sizes


@pytest.fixture
def huge(root: Path) -> Path:
    """Put a sparse file of 50 GB into a class folder."""
    file = root / "king" / "huge.jpg"
    file.touch()
    os.truncate(file, 50 * 10**9)
    return file


def test_a_huge_file_is_named_and_skipped(command: tuple[str, ...], huge: Path, harvest: Harvest) -> None:
    """A file of 50 GB is not read completely: it is reported, counted as an own file and not changed."""
    result = harvest(*command)

    assert result.code == 0
    assert "dataset/king/huge.jpg is skipped: it has 47,683 MB; the limit is 200" in result.err
    assert huge.stat().st_size == 50 * 10**9
    (king,) = [row for row in harvest("status", "--json").json["classes"] if row["class"] == "king"]
    assert (king["own"], king["unreadable"]) == (1, 1)


def test_a_huge_file_is_recognised_where_it_is_moved(huge: Path, root: Path, harvest: Harvest) -> None:
    """A huge file keeps its identity: moved to another class, it is the same file there."""
    harvest("status")
    huge.rename(root / "coral" / "huge.jpg")

    assert "moved king/huge.jpg → coral/huge.jpg" in harvest("status").lines


def test_an_image_replaced_by_a_huge_file_is_edited(root: Path, harvest: Harvest) -> None:
    """An image of ours that became a huge file counts as edited, never as deleted."""
    os.truncate(root / "king" / name(0), 50 * 10**9)

    result = harvest("status")

    assert f"edited king/{name(0)}" in result.lines
    assert "deleted" not in result.out


def test_huge_files_are_distinguished_by_their_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files over the limit differ by their size, their start or their end."""
    monkeypatch.setattr(place_and_list_files, "MAX_FILE", 10)
    monkeypatch.setattr(place_and_list_files, "_END", 4)
    bodies = [b"a" * 20, b"a" * 21, b"b" + b"a" * 19, b"a" * 19 + b"b"]
    found = set()
    for number, body in enumerate(bodies):
        path = tmp_path / "t" / "king" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        files = place_and_list_files.Tree(tmp_path / "t")
        found.update(files.hash_files([place_and_list_files.FileKey("king", path.name)]))
        files.close()

    assert len(found) == len(bodies)


# ---- progress


def test_a_long_scan_shows_its_progress() -> None:
    """After some seconds the progress is shown, and then from time to time; a short scan is silent."""
    messages: list[str] = []
    now = [0.0]
    tick = ScanProgress(messages.append, lambda: now[0]).tick("reading files")
    for done in range(1, 41):
        tick(done, 40)
        now[0] += 0.5

    assert messages == ["reading files: 7 of 40", "reading files: 27 of 40"]


def test_the_scan_of_a_dataset_is_what_shows_progress(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening a dataset counts the files that it hashes, and those that it decodes."""
    monkeypatch.setattr("harvest.dataset.compare_ledger_with_disk._DELAY", -1)
    monkeypatch.setattr("harvest.dataset.compare_ledger_with_disk._INTERVAL", 0)
    for number in range(3):
        (root / "king" / f"mine{number}.jpg").write_bytes(jpeg(500 + number))
    messages: list[str] = []

    Dataset.open(root, say=messages.append).close()

    assert "reading new and changed files: 3 of 3" in messages
    assert "inspecting your own images: 3 of 3" in messages
