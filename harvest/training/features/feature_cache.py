"""The cache of features: one file for each network, keyed by the content of the images."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from harvest.errors import CannotWrite
from harvest.files import disk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_DIGEST = 32  # bytes of a SHA-256 digest
_PLAIN = re.compile(r"features-[0-9a-f]{32}\.safetensors")  # of the images themselves, not of augmented views


class FeatureCache:
    """One file of features. A damaged file counts as empty; of two concurrent writers, the last one wins."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = path
        self._shape = shape  # of the features of one image

    def read(self) -> dict[str, NDArray[np.float32]]:
        """Return the cached features by content."""
        try:
            with safe_open(self._path, "numpy") as file:
                if not self._has_expected_tensors(file):
                    return {}
                contents, values = file.get_tensor("contents"), file.get_tensor("values")
        except (OSError, SafetensorError):
            return {}
        return {row.tobytes().hex(): value for row, value in zip(contents, values, strict=True)}

    def _has_expected_tensors(self, file: Any) -> bool:
        """Return whether a file has the expected tensors; checked before reading: numpy lacks some types."""
        if set(file.keys()) != {"contents", "values"}:
            return False
        contents, values = file.get_slice("contents"), file.get_slice("values")
        count = values.get_shape()[0] if values.get_shape() else 0
        return (
            (contents.get_dtype(), values.get_dtype()) == ("U8", "F32")
            and contents.get_shape() == [count, _DIGEST]
            and values.get_shape() == [count, *self._shape]
        )

    def add(self, features: Mapping[str, NDArray[np.float32]], *, say: Callable[[str], None]) -> None:
        """Add features; if that fails, only report it: the next training computes them again."""
        all_features = {**self.read(), **features}
        names = b"".join(bytes.fromhex(content) for content in all_features)
        document = {
            "contents": np.frombuffer(names, np.uint8).reshape(-1, _DIGEST),
            "values": np.stack(list(all_features.values())),
        }
        try:
            with disk.write_errors_named(self._path.parent):
                disk.make_folder(self._path.parent)
            disk.write_atomically(self._path, save(document))
        except CannotWrite as error:
            say(f"the features are not cached: {error.message}. The training continues.")


def read_newest_features(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return the features by content that the last training with this cache folder computed; empty without any."""
    files: list[tuple[int, Path]] = []
    with suppress(OSError):
        plain = (path for path in folder.iterdir() if _PLAIN.fullmatch(path.name) and path.is_file())
        files.extend((path.stat().st_mtime_ns, path) for path in plain)
    for _, path in sorted(files, reverse=True):
        if (width := _width(path)) and (features := FeatureCache(path, (width,)).read()):
            return features
    return {}


def _width(path: Path) -> int:
    """Return the number of features of each image in a file; 0 for a damaged file."""
    with suppress(OSError, SafetensorError), safe_open(path, "numpy") as file:
        shape: list[int] = file.get_slice("values").get_shape()
        return shape[1] if len(shape) == 2 else 0  # noqa: PLR2004 - images and features
    return 0
