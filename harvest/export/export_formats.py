"""The formats of `harvest export`, by the name that `--to` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export.hf_parquet import HuggingFaceParquet
from harvest.export.imagefolder import ImageFolder
from harvest.export.kaggle import Kaggle
from harvest.export.label_studio import LabelStudio
from harvest.export.open_images_csv import OpenImagesCsv
from harvest.export.tensorflow_retrain import RetrainFolder
from harvest.export.tfds_imagefolder import TensorFlowFolder
from harvest.export.ultralytics import Ultralytics
from harvest.export.webdataset import WebDataset

if TYPE_CHECKING:
    from harvest.export.exporter import Exporter

DEFAULT = "hf"
FORMATS: dict[str, Exporter] = {
    "hf": HuggingFaceParquet(),
    "imagefolder": ImageFolder(),
    "ultralytics": Ultralytics(),
    "webdataset": WebDataset(),
    "tfds": TensorFlowFolder(),
    "kaggle": Kaggle(),
    "retrain": RetrainFolder(),
    "csv": OpenImagesCsv(),
    "labelstudio": LabelStudio(),
}
