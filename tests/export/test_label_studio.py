"""Label Studio: tasks and interface as its import reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from harvest.export.label_studio import INTERFACE, TASKS, LabelStudio
from harvest.labelled_pictures.prediction_table import Prediction
from tests.export.written_records import digest, make_records, write

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.records import ExportDataset


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> ExportDataset:
    return make_records(tmp_path_factory.mktemp("records"), ("coral & 'snake'", "king"))


def predict(records: ExportDataset, number: int, predicted: str, probability: float) -> ExportDataset:
    image = records.images[number]
    row = Prediction("", image.content, image.class_name, predicted, 0.1, probability, 2.3, 0)
    return replace(records, predictions={image.content: row})


def read_tasks(out: Path) -> list[dict]:
    return json.loads((out / TASKS).read_text("utf-8"))


def test_the_interface_offers_every_class(records: ExportDataset, tmp_path: Path) -> None:
    """The interface is XML with an image, and a choice of one class for it, whatever characters the class has."""
    out = write(LabelStudio(), records, tmp_path / "out")

    view = ET.fromstring((out / INTERFACE).read_text("utf-8"))
    image, choices = view
    assert (image.tag, image.get("value")) == ("Image", "$image")
    assert (choices.tag, choices.get("toName")) == ("Choices", image.get("name"))
    assert [choice.get("value") for choice in choices] == list(records.classes)


def test_every_task_serves_its_image_with_its_class(records: ExportDataset, tmp_path: Path) -> None:
    """The address of a task leads to the image below the document root, and its label is a choice of the interface."""
    out = write(LabelStudio(), records, tmp_path / "out")

    choices = ET.fromstring((out / INTERFACE).read_text("utf-8"))[1]
    found = []
    for task in read_tasks(out):
        address = urlsplit(task["data"]["image"])
        assert address.path == "/data/local-files/"
        (path,) = parse_qs(address.query)["d"]
        (label,) = [*task.get("annotations", []), *task["predictions"]]
        (region,) = label["result"]
        assert (region["from_name"], region["to_name"], region["type"]) == (choices.get("name"), "image", "choices")
        found.append((task["data"]["split"], *region["value"]["choices"], digest(out / path)))
    assert sorted(found) == sorted((image.split, image.class_name, image.content) for image in records.images)


def test_what_a_person_checked_is_an_annotation(records: ExportDataset, tmp_path: Path) -> None:
    """The task of a reviewed image is complete; the label of another is a prediction for a person to accept."""
    out = write(LabelStudio(), records, tmp_path / "out")

    for image, task in zip(records.images, read_tasks(out), strict=True):
        assert ("annotations" in task) == image.is_reviewed
        assert [each["model_version"] for each in task["predictions"]] == (
            [] if image.is_reviewed else ["class folder"]
        )


def test_the_newest_run_predicts(records: ExportDataset, tmp_path: Path) -> None:
    """What a training predicts for an image is a second prediction, with its probability as the score."""
    out = write(LabelStudio(), predict(records, 1, "king", 0.87654321), tmp_path / "out")

    label, prediction = read_tasks(out)[1]["predictions"]
    assert label["model_version"] == "class folder"
    assert (prediction["model_version"], prediction["score"]) == ("newest training run", 0.8765)
    assert prediction["result"][0]["value"] == {"choices": ["king"]}


def test_a_prediction_of_a_removed_class_is_left_out(records: ExportDataset, tmp_path: Path) -> None:
    """A class that is not a choice of the interface never reaches the tasks."""
    out = write(LabelStudio(), predict(records, 1, "a removed class", 0.9), tmp_path / "out")

    assert len(read_tasks(out)[1]["predictions"]) == 1


def test_a_score_is_a_probability(records: ExportDataset, tmp_path: Path) -> None:
    """Label Studio refuses a score over 1, which an edited table can have."""
    out = write(LabelStudio(), predict(records, 1, "king", 7.5), tmp_path / "out")

    assert read_tasks(out)[1]["predictions"][1]["score"] == 1


def test_a_class_like_a_variable_is_refused(records: ExportDataset) -> None:
    """A class that begins with a dollar sign would be read as the name of a field."""
    (message,) = LabelStudio().find_problems(replace(records, classes=("$image", "king")))

    assert message.startswith("Label Studio takes '$image' for a variable")
