"""`harvest export`: what it says, what it asks, and what it uploads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from harvest.export.export_formats import FORMATS
from tests.export.fake_hub import FakeHub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """Return a Hub that the library finds, and a token."""
    library = pytest.importorskip("huggingface_hub.utils", reason="pip install huggingface_hub", exc_type=ImportError)
    library.disable_progress_bars()
    with FakeHub() as server:
        direct(monkeypatch, server)
        yield server


def direct(monkeypatch: pytest.MonkeyPatch, server: FakeHub) -> None:
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - an extra

    monkeypatch.setenv("HF_TOKEN", "hf_test")
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    start = HfApi.__init__

    def begin(self: Any, endpoint: str | None = None, **more: Any) -> None:
        start(self, endpoint=endpoint or server.url, **more)

    monkeypatch.setattr(HfApi, "__init__", begin)


@pytest.mark.usefixtures("root")
def test_an_export_says_what_it_does(harvest: Harvest) -> None:
    """Counts, unknown licences and groups are notes; the result names the folder and the line that loads it."""
    export = harvest("export", "dataset", "out")

    assert export.code == 0, export.err
    assert "50 images of 2 classes: 43 train, 5 validation, 2 test" in export.err
    assert "50 images without a known licence" in export.err
    assert "0 groups span splits" in export.err
    assert export.lines[0] == "out: 50 images in the format hf"
    assert 'datasets.load_dataset("out")' in export.out


def test_the_formats_are_listed(harvest: Harvest) -> None:
    """--list prints each format with its readers, one a line, and needs neither a dataset nor a folder."""
    export = harvest("export", "--list")

    assert export.code == 0, export.err
    assert [line.split()[0] for line in export.lines] == list(FORMATS)
    assert all(len(line) <= 100 for line in export.lines)


@pytest.mark.usefixtures("root")
def test_an_export_says_what_to_do_before_it_is_loaded(harvest: Harvest, tmp_path: Path) -> None:
    """For Kaggle, the command for the upload is printed, and what the user must put into the metadata before."""
    export = harvest("export", "dataset", "out", "--to", "kaggle")

    assert export.code == 0, export.err
    assert "Replace INSERT_USERNAME_HERE in dataset-metadata.json by the name of your Kaggle account" in export.err
    assert "kaggle datasets create -p out --dir-mode zip" in export.out
    assert "INSERT_USERNAME_HERE" in (tmp_path / "out" / "dataset-metadata.json").read_text("utf-8")


@pytest.mark.usefixtures("root")
def test_the_result_as_json(harvest: Harvest) -> None:
    """--json prints one document with counts by split and licence, and nothing else."""
    export = harvest("export", "dataset", "out", "--to", "csv", "--json")

    assert export.err == ""
    assert export.json["images"] == {"train": 43, "validation": 5, "test": 2}
    assert export.json["licenses"] == {"NOASSERTION": 50}
    assert export.json["groups_across_splits"] == 0


@pytest.mark.usefixtures("root")
def test_no_image_is_left(harvest: Harvest, tmp_path: Path) -> None:
    """Options that leave out every image end in exit code 2, and no folder."""
    export = harvest("export", "dataset", "out", "--license", "open")

    assert export.code == 2
    assert "50 images left out: not known to have a licence that is open" in export.err
    assert "no image is left to export" in export.err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_a_dataset(harvest: Harvest) -> None:
    """A wrong folder is refused as by every command."""
    assert "there is no folder nowhere" in harvest("export", "nowhere", "out").err


@pytest.mark.usefixtures("root")
def test_push_uploads_every_file(harvest: Harvest, hub: FakeHub, tmp_path: Path) -> None:
    """--push --yes shows what becomes public, creates the repository, and uploads the export as it is."""
    export = harvest("export", "dataset", "out", "--push", "me/snakes", "--yes")

    assert export.code == 0, export.err
    assert "for everyone on the Internet" in export.err
    assert "you may not have the right to publish them" in export.err
    (created,) = hub.created
    assert (created["name"], created["organization"], created["type"]) == ("snakes", "me", "dataset")
    out = tmp_path / "out"
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert hub.files == files
    assert "Bearer hf_test" in hub.tokens
    assert f"{hub.url}/datasets/me/snakes" in export.out


@pytest.mark.usefixtures("root")
def test_push_replaces_an_earlier_export(harvest: Harvest, hub: FakeHub) -> None:
    """Files of an earlier upload that are not in this export are removed, and that is said before."""
    hub.existing = ("data/train-00000-of-00009.parquet", "README.md")

    export = harvest("export", "dataset", "out", "--push", "me/snakes", "--yes")

    assert export.code == 0, export.err
    assert "me/snakes exists: its files are replaced" in export.err
    assert hub.deleted == ["data/train-00000-of-00009.parquet"]


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(("reply", "count"), [("n\n", 0), ("y\n", 1)])
def test_push_asks(harvest: Harvest, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, reply: str, count: int) -> None:
    """On a terminal, nothing is uploaded before the answer is yes; the export stays either way."""
    read, write = os.pipe()
    os.write(write, reply.encode())
    os.close(write)
    with os.fdopen(read) as stdin:
        monkeypatch.setattr(stdin, "isatty", lambda: True, raising=False)
        monkeypatch.setattr("sys.stdin", stdin)

        export = harvest("export", "dataset", "out", "--push", "me/snakes")

    assert export.code == 0, export.err
    assert len(hub.created) == count
    assert "out: 50 images" in export.out


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--push", "me/snakes"), "there is no terminal to ask on"),
        (("--push", "a/b/c", "--yes"), "cannot be a repository"),
        (("--push", "me/snakes", "--yes", "--nd"), "--push would publish them"),
        (("--private",), "--private and --yes are for --push"),
    ],
)
def test_push_is_checked_before_the_export(
    harvest: Harvest, hub: FakeHub, tmp_path: Path, options: tuple[str, ...], problem: str
) -> None:
    """What would fail at the end is refused at the beginning."""
    export = harvest("export", "dataset", "out", *options)

    assert export.code == 2
    assert problem in export.err
    assert not (tmp_path / "out").exists()
    assert not hub.tokens


@pytest.mark.usefixtures("root")
def test_push_without_a_token(harvest: Harvest, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token, the message says how to get one."""
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)

    export = harvest("export", "dataset", "out", "--push", "me/snakes", "--yes")

    assert export.code == 2
    assert "hf auth login" in export.err
    assert not hub.tokens


@pytest.mark.usefixtures("root")
def test_push_that_the_hub_refuses(harvest: Harvest, hub: FakeHub, tmp_path: Path) -> None:
    """When the Hub refuses, the export stays, and the message has the line that uploads it later."""
    hub.status = 403

    export = harvest("export", "dataset", "out", "--push", "me/snakes", "--yes")

    assert export.code == 2
    assert "does not allow writing to me/snakes (403)" in export.err
    assert "hf upload me/snakes" in export.err
    assert (tmp_path / "out" / "README.md").exists()
