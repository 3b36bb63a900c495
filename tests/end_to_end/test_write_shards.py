"""`--sink shards` from the command line and from Python."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from harvest import Query, harvest
from harvest.errors import UsageError
from harvest.harvesting import run as run_module
from tests.datasets import tree
from tests.end_to_end.snakes import list_addresses, write

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = [Query("red circle", "red_circle"), Query("blue square", "blue_square")]


def test_a_run_with_shards(internet, cli) -> None:
    """A run writes tar files and no class folders, `status` and `why` know them, and a second run does nothing."""
    list_addresses(cli.folder, internet.addresses(4, size=(640, 400)).urls)
    write(cli.folder, "class,query\ncoral_snake,coral.txt\n")
    line = ("-c", "URLS", "snakes.csv")
    assert cli(*line, "--sink", "shards").code == 0
    before = tree(cli.folder / "dataset")
    assert list(before) == ["shard-000000.tar"]
    with tarfile.open(cli.folder / "dataset" / "shard-000000.tar") as shard:
        names = [member.name for member in shard if member.name.endswith(".jpg")]
    assert len(names) == 4
    internet.log.clear()

    again = cli(*line)

    assert again.code == 0
    assert not internet.log.visits
    assert tree(cli.folder / "dataset") == before
    assert "4 images in 1 shard" in cli("status").out
    why = cli("why", names[0]).out
    assert "dataset/shard-000000.tar" in why
    assert "from byte" in why


def test_commands_name_damaged_images(cli) -> None:
    """Export, report and the check end with exit code 3, the shard, the image and what to do; the rest is written."""
    harvest(SHAPES, "SAMPLE", cli.folder / "dataset", limit=3, sink="shards")
    shard = cli.folder / "dataset" / "shard-000000.tar"
    with tarfile.open(shard) as members:
        image = next(member for member in members if member.name.endswith(".jpg"))
    data = bytearray(shard.read_bytes())
    data[image.offset_data + image.size // 2] ^= 0x10
    shard.write_bytes(data)

    for line in (("export", "dataset", "out", "--to", "imagefolder"), ("report", "dataset")):
        result = cli(*line)
        assert result.code == 3
        assert "shard-000000.tar is damaged in 1 image: " in result.err
        assert image.name in result.err
        assert "--check-shards --accept-missing" in result.err
    assert len(list((cli.folder / "out").glob("*/*/*.jpg"))) == 5
    assert (cli.folder / "dataset" / "report.html").exists()
    assert cli("status").code == 0
    checked = cli("status", "--check-shards")
    assert checked.code == 3
    assert "dataset: images in shards (1 in shard-000000.tar) are damaged. Nothing was recorded." in checked.err
    assert not checked.out.strip()
    assert cli("status", "--check-shards", "--accept-missing").code == 0
    assert "1 image to be downloaded again" in cli("restore", "dataset", "--last").out


def test_originals_do_not_go_into_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-k` with shards is refused before anything is written, also where only the dataset decides for shards."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="-k cannot be used"):
        harvest(SHAPES, "SAMPLE", "shapes", limit=2, sink="shards", keep_originals=True)
    assert not list(tmp_path.iterdir())
    assert harvest(SHAPES, "SAMPLE", "shapes", limit=2, sink="shards").exit_code == 0
    with pytest.raises(UsageError, match="-k cannot be used"):
        harvest(SHAPES, "SAMPLE", "shapes", limit=3, keep_originals=True)


def test_many_files_are_a_reason_for_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that leaves many files in class folders says that shards serve better; files in shards do not count."""
    monkeypatch.setattr(run_module, "MANY_FILES", 4)
    few = harvest(SHAPES, "SAMPLE", tmp_path / "few", limit=1)
    many = harvest(SHAPES, "SAMPLE", tmp_path / "many", limit=2)
    shards = harvest(SHAPES, "SAMPLE", tmp_path / "shards", limit=2, sink="shards")

    expected = (
        "The class folders contain 4 files, which file systems and loaders handle slowly."
        " With --sink shards, new images are written into tar files instead."
    )
    assert expected in many.notes
    assert not any("--sink shards" in note for note in few.notes + shards.notes)
