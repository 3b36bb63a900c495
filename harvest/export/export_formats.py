"""The formats of `harvest export`, by the name that `--to` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export.hf_parquet import HuggingFaceParquet
from harvest.export.imagefolder import ImageFolder

if TYPE_CHECKING:
    from harvest.export.exporter import Exporter

DEFAULT = "hf"
FORMATS: dict[str, Exporter] = {
    "hf": HuggingFaceParquet(),
    "imagefolder": ImageFolder(),
}
