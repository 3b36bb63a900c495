"""Trainings on images in shards: as on the same images in class folders."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from harvest.cli.train import load_train_script
from harvest.dataset import Dataset
from harvest.open_review import feature_process
from harvest.training.training_options import TrainingOptions
from tests.datasets import fill
from tests.training.shapes import Listener

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two datasets of the same images, in class folders and in shards, and a run of each."""
    home = tmp_path_factory.mktemp("home")
    for sink in ("folders", "shards"):
        with Dataset.open(home / sink, create=True, exclusive=True) as dataset:
            dataset.use_shards(8000 if sink == "shards" else None)
            fill(dataset, "king", range(10))
            fill(dataset, "coral", range(100, 110))
        options = {"out": home / f"{sink}.runs" / "first", "from_scratch": True, "epochs": 1, "size": 32, "batch": 8}
        load_train_script()(TrainingOptions(home / sink, cpu=True, **options), Listener())
    return home


def rows_of(run: Path, name: str) -> list[dict[str, str]]:
    with (run / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_results_are_the_same(home: Path) -> None:
    """A training on shards has the split, the predictions and the images of the report of one on class folders."""
    folders, shards = home / "folders.runs" / "first", home / "shards.runs" / "first"
    assert [path.name for path in (home / "shards").iterdir() if path.is_dir()] == []
    for name in ("splits.csv", "predictions.csv"):
        assert len(rows_of(shards, name)) == 20
        assert rows_of(shards, name) == rows_of(folders, name)
    counts = [(run / "report.html").read_text("utf-8").count("data:image/webp") for run in (folders, shards)]
    assert counts[0] == counts[1] > 0


def test_the_review_computes_features_of_images_in_shards(home: Path, tmp_path: Path) -> None:
    """The process of the review page that computes missing features reads images from shards."""
    run, sent = home / "shards.runs" / "first", []

    class Progress:
        send = staticmethod(sent.append)

    files = [(row["path"], row["label"], row["content"]) for row in rows_of(run, "predictions.csv")]
    # Without the wrapper, which ignores Ctrl-C and lowers the priority of its process.
    feature_process._compute(run, home / "shards", tmp_path / "cache", files, Progress())
    assert sent[-1][0] == feature_process.DONE
