"""Export the network of a run as a web page: shrink its model.onnx, check what that costs, and write the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.inference.model_export import make_onnx
from harvest.training.web_export.smaller_model import CheckedImages, shrink_model
from harvest.training.web_export.web_runtime import read_runtime
from harvest.training.web_export.write_web_page import write_web_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network

    Views = NDArray[np.uint8]

_CALIBRATION, _CHECKED = 64, 1000  # images: to measure ranges with, and to compare the accuracy on


def export_web(
    network: Network, run: Path, data: TrainingData, *, runtime: Path | None, say: Callable[[str], None]
) -> Path:
    """Write the folder web/ of a run; return it. `runtime` is the value of `--web-runtime`."""
    files = read_runtime(runtime)
    training, _ = _load_views(data, SplitPart.TRAIN, network.size, _CALIBRATION)
    validation, targets = _load_views(data, SplitPart.VALID, network.size, _CHECKED)
    whole = make_onnx(network, run)
    small = shrink_model(whole, CheckedImages(training, validation, targets))
    folder = write_web_page(run, data.pictures.root.resolve().name, small.data, files)
    cost = "without validation images nothing smaller can be checked"
    if len(validation) and len(training):
        shares = f"{small.before:.1%} right before and {small.after:.1%} now".replace("%", " %")
        cost = f"of {len(validation):,} validation images {shares}"
    say(f"wrote {folder.name}/; its model has {small.kind}, {_megabytes(small.data)} of {_megabytes(whole)} MB: {cost}")
    return folder


def _load_views(data: TrainingData, part: SplitPart, size: int, most: int) -> tuple[Views, NDArray[np.int64]]:
    """Return at most so many images of a part, evenly from all classes, and their classes."""
    rows = data.split.rows(part)
    views, targets = [], []
    for row in rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)].tolist():
        image = image_array.load_image(data.pictures.reader.read(data.pictures.examples[row].path), size)
        if not isinstance(image, Refusal):
            views.append(np.asarray(image_array.centre_crop(image, size)))
            targets.append(int(data.pictures.targets[row]))
    return np.array(views, np.uint8).reshape(-1, size, size, 3), np.array(targets, np.int64)


def _megabytes(data: bytes) -> str:
    return f"{len(data) / 1e6:.1f}"
