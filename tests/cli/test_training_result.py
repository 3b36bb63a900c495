"""The result printed after a training: metrics, and commands that fit the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from harvest.cli.training_result import print_result
from harvest.labelled_pictures.prediction_table import Prediction


def result(path: Path, *, suspects: int = 0) -> Any:
    """Return a training result with this many suspects."""
    right = [Prediction(f"{x}/1.jpg", x, x, x, 0.8, 0.8, 0.2, 0) for x in ("coral", "king")]
    wrong = [Prediction(f"king/{n}.jpg", f"{n}", "king", "coral", 0.01, 0.99, 4.6, 0) for n in range(suspects)]
    judged = SimpleNamespace(saved="frozen head", part_evaluation=lambda _: None, predictions=(*right, *wrong))
    tuned = SimpleNamespace(best={"epoch": 0.0}, stopped=False)
    return SimpleNamespace(path=path, tree=path.parent, labels=("coral", "king"), evaluation=judged, fine_tuned=tuned)


def lines(run: Path, capsys: pytest.CaptureFixture[str], **more: int) -> list[str]:
    print_result(result(run, **more), as_json=False)
    return capsys.readouterr().out.splitlines()


def test_paths_below_the_working_directory_are_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run below the working directory is printed as a relative path, another one unchanged."""
    monkeypatch.chdir(tmp_path)

    below = lines(tmp_path / "snakes.runs" / "first", capsys)
    elsewhere = lines(Path("/elsewhere/first"), capsys)

    assert " snakes.runs/first/  frozen head" in below
    assert any("harvest serve snakes.runs/first  " in line for line in below)
    assert any("harvest serve /elsewhere/first  " in line for line in elsewhere)


def test_wide_lines_are_explained_below(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal no purpose is wrapped: without room next to its command it is printed below."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    printed = lines(Path("/tmp/a folder of a person/small.runs/2026-11-21_13-09-55"), capsys)
    short = lines(Path("/a/b"), capsys)

    place = printed.index("        harvest predict '/tmp/a folder of a person/small.runs/2026-11-21_13-09-55' IMAGE")
    assert printed[place + 1] == "          classify an image"
    assert "        harvest predict /a/b IMAGE   classify an image" in short


def test_in_a_file_lines_are_as_long_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal the purpose is printed next to its command."""
    monkeypatch.setenv("COLUMNS", "40")

    assert any(line.endswith("IMAGE   classify an image") for line in lines(Path("/a/b"), capsys))


@pytest.mark.parametrize(
    ("count", "messages"),
    [
        (0, ""),
        (1, "   suspects: 1 image may be in the wrong folder: see report.html"),
        (2, "   suspects: 2 images may be in the wrong folder: see report.html"),
    ],
)
def test_suspects_are_counted(count: int, messages: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of images that may be in the wrong folder is printed, if there are any."""
    printed = lines(Path("/a/b"), capsys, suspects=count)

    assert "".join(line for line in printed if "suspects" in line) == messages
