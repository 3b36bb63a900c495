"""`harvest report`: the file it writes, and what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests import datasets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Result

    Harvest = Callable[..., Result]


def test_report_is_written_and_named(tmp_path: Path, harvest: Harvest) -> None:
    """The command writes report.html in the dataset, or the file of `-o`, and prints its path."""
    datasets.copied(tmp_path / "dataset", king=range(3))

    assert harvest("report").lines[0].startswith("wrote dataset/report.html, ")
    assert harvest("report", "-o", "king.html", "--json").json == {"report": "king.html"}
    assert "<title>dataset: 3 images in 1 class</title>" in (tmp_path / "king.html").read_text("utf-8")


def test_run_without_a_run_is_a_note(tmp_path: Path, harvest: Harvest) -> None:
    """`--run` where no training run is makes a report without one, and says so."""
    datasets.copied(tmp_path / "dataset", king=range(3))

    done = harvest("report", "--run")

    assert done.code == 0
    assert "there is no training run next to dataset" in done.err


def test_missing_files_exit_with_3(tmp_path: Path, harvest: Harvest) -> None:
    """Where most files are missing, nothing is written, and the exit code is that of `status`."""
    datasets.copied(tmp_path / "dataset", king=range(30))
    for file in (tmp_path / "dataset" / "king").iterdir():
        file.unlink()

    done = harvest("report")

    assert (done.code, done.out) == (3, "")
    assert "harvest status dataset --accept-missing" in done.err
