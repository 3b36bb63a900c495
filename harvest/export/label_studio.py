"""Label Studio: the images, the labelling interface, and tasks that begin with the known labels."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from harvest.export.exporter import FolderExporter
from harvest.export.json_text import encode_json
from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.exporter import Progress
    from harvest.export.records import ExportDataset, ExportImage

TASKS = "tasks.json"
INTERFACE = "label_config.xml"
IMAGES = "images"
_SERVED = "/data/local-files/?d="  # how Label Studio serves a file below its document root
_IMAGE, _CLASS = "image", "class"  # names of the tags of the interface
_FOLDER_LABEL = "class folder"  # the name of the predictions that are the labels of the dataset
_RUN = "newest training run"
_VARIABLE = "$"  # Label Studio takes such a text for the name of a field of a task


class LabelStudio(FolderExporter):
    """The images in `images/CLASS/NAME`, `label_config.xml` and `tasks.json`.

    A label that a person has checked is an annotation, so its task is complete. Other labels, and what the newest
    training run predicts, are predictions: they are shown, and a person accepts or changes them.
    """

    title = "images and tasks with predictions, for Label Studio"
    reads = (
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true"
        ' LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT="$(realpath OUT)" label-studio start'
    )
    advice = (
        f"In a new project, paste {INTERFACE} as the labelling interface, add the local storage {IMAGES}/ by its whole"
        f" path without syncing it, and import {TASKS}."
    )

    def image_path(self, image: ExportImage) -> str:
        """Return images/class/name: Label Studio has no splits."""
        return f"{IMAGES}/{image.class_name}/{image.file_name}"

    def data_files(self, split: str) -> str:  # noqa: ARG002 - of the protocol
        """Return nothing: `datasets` does not read this format, since it has no splits."""
        return ""

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield the class names that cannot be choices."""
        yield from super().find_problems(dataset)
        for name in dataset.classes:
            if name.startswith(_VARIABLE):
                yield f"Label Studio takes {name!r} for a variable, because of its {_VARIABLE!r}. Rename its folder."

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Place the images, and write the interface and the tasks."""
        super().write(dataset, folder, progress)
        tasks = [self._make_task(dataset, image) for image in dataset.images]
        disk.write(folder / TASKS, encode_json(tasks))
        disk.write(folder / INTERFACE, _make_interface(dataset).encode("utf-8", "replace"))

    def _make_task(self, dataset: ExportDataset, image: ExportImage) -> dict[str, Any]:
        task: dict[str, Any] = {
            "data": {
                _IMAGE: _SERVED + quote(self.image_path(image)),
                "split": image.split,
                **image.metadata(),
            },
            "predictions": [],
        }
        label = _choose(image, image.class_name)
        if image.is_reviewed:
            task["annotations"] = [{"result": label}]
        else:
            task["predictions"].append({"model_version": _FOLDER_LABEL, "result": label})
        prediction = dataset.predictions.get(image.content)
        if prediction is not None and prediction.predicted in dataset.labels:
            score = round(min(max(prediction.p_predicted, 0.0), 1.0), 4)
            result = _choose(image, prediction.predicted)
            task["predictions"].append({"model_version": _RUN, "score": score, "result": result})
        return task


def _choose(image: ExportImage, name: str) -> list[dict[str, Any]]:
    """Return the result that a choice of one class gives; its id only has to be unique in its task."""
    return [
        {
            "id": image.content[:10],
            "from_name": _CLASS,
            "to_name": _IMAGE,
            "type": "choices",
            "value": {"choices": [name]},
        }
    ]


def _make_interface(dataset: ExportDataset) -> str:
    choices = "\n".join(f'    <Choice value="{escape(name)}"/>' for name in dataset.classes)
    return (
        f'<View>\n  <Image name="{_IMAGE}" value="${_IMAGE}"/>\n'
        f'  <Choices name="{_CLASS}" toName="{_IMAGE}" choice="single-radio">\n{choices}\n  </Choices>\n</View>\n'
    )
