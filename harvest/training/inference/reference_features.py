"""The features of the training images, by which an image that is none of the classes is recognised.

A softmax is confident about anything. The cosine similarity to the nearest training images is not: images of something
else are far from all of them. `reference.safetensors` in the run holds these features, the names of their images, and
the similarities that the right validation images reach.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harvest.errors import TrainingError
from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

FILE = "reference.safetensors"
NEIGHBOURS = 5  # the similarity of an image is the mean of those to its nearest training images
MOST = 5000  # training images: more would take more than a twentieth of the time of a small network
ACCEPT = 0.95
IMAGES, QUANTILES = "images", "quantiles"  # keys of the metadata, here and in model.onnx

_FEATURES = "features"
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class AcceptanceQuantiles:
    """What the right validation images reach: `values[p]` is the similarity that p percent of them stay below."""

    values: tuple[float, ...]

    @classmethod
    def measure(cls, similarities: ArrayLike) -> AcceptanceQuantiles:
        """Return the quantiles of the similarities of right validation images."""
        return cls(tuple(np.percentile(np.asarray(similarities, np.float64), np.arange(_PERCENT + 1)).tolist()))

    @classmethod
    def parse(cls, text: str) -> AcceptanceQuantiles | None:
        """Read the quantiles from metadata; None if they are damaged."""
        values = _parse_list(text)
        are_sound = len(values) == _PERCENT + 1 and all(
            isinstance(value, float | int) and math.isfinite(value) for value in values
        )
        return cls(tuple(sorted(map(float, values)))) if are_sound else None

    def threshold(self, accept: float) -> float:
        """Return the similarity that this share of the right validation images reaches.

        >>> AcceptanceQuantiles(tuple(number / 100 for number in range(101))).threshold(0.95)
        0.05
        """
        if accept >= 1:
            return -math.inf
        return float(np.interp(_PERCENT * (1 - accept), np.arange(_PERCENT + 1), self.values).round(6))

    def as_text(self) -> str:
        """Return the quantiles for metadata."""
        return json.dumps([round(value, 6) for value in self.values])


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceFeatures:
    """Training features of unit length, the names of their images, and the acceptance quantiles."""

    features: NDArray[np.float16]
    images: tuple[str, ...]
    quantiles: AcceptanceQuantiles

    def write(self, run: Path) -> None:
        """Write the features into a run, whole or not at all."""
        disk.write_atomically(run / FILE, save({_FEATURES: self.features}, metadata=self.metadata()))

    def metadata(self) -> dict[str, str]:
        """Return all but the features as text."""
        return {IMAGES: json.dumps(self.images), QUANTILES: self.quantiles.as_text()}


def read_reference_features(run: Path, width: int) -> ReferenceFeatures | None:
    """Read the features of a run; None where it has none, as runs of an earlier version have.

    Raise TrainingError if the file is damaged, or not that of a network with so many features.
    """
    path = run / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            shape = tuple(file.get_slice(_FEATURES).get_shape())
            images, quantiles = parse_metadata(file.metadata() or {})
            if len(shape) != 2 or not 0 < shape[0] <= MOST or shape[1] != width or shape[0] != len(images):  # noqa: PLR2004
                raise _damage_error(path)
            features = file.get_tensor(_FEATURES).astype(np.float16)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damage_error(path) from error
    if quantiles is None or not np.isfinite(features).all():
        raise _damage_error(path)
    return ReferenceFeatures(features, images, quantiles)


def parse_metadata(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], AcceptanceQuantiles | None]:
    """Return the names of the images and the quantiles; empty and None where they are missing or damaged."""
    images = _parse_list(metadata.get(IMAGES, ""))
    names = tuple(images) if all(isinstance(name, str) for name in images) else ()
    return names, AcceptanceQuantiles.parse(metadata.get(QUANTILES, ""))


def unit_length(features: NDArray[Any]) -> NDArray[np.float32]:
    """Scale each row to unit length."""
    rows: NDArray[np.float32] = np.array(features, np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def nearest_similarities(rows: NDArray[np.float32], references: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean cosine similarity of each row to its nearest references; both have unit length."""
    count = min(NEIGHBOURS, len(references))
    found = [  # in blocks, so that memory stays flat
        np.partition(block @ references.astype(np.float32).T, -count, axis=1)[:, -count:].mean(axis=1)
        for block in np.array_split(rows, max(1, len(rows) // 1024))
    ]
    return np.concatenate(found)


def _parse_list(text: str) -> Sequence[Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return values if isinstance(values, list) else ()


def _damage_error(path: Path) -> TrainingError:
    return TrainingError(
        f"{path} is damaged, or belongs to another network.",
        "Copy it again with the rest of the run, or delete it: then every image counts as known.",
    )
