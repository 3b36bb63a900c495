"""Features kept between runs: one file for each network, keyed by the content of the pictures."""

from __future__ import annotations

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

_DIGEST = 32  # bytes of a SHA-256


class FeatureCache:
    """One file of features. A damaged one counts as none; of two writers at once, one writes in vain."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path = path
        self._shape = shape  # of one picture's features

    def read(self) -> dict[str, NDArray[np.float32]]:
        """Return the features that are kept, by content."""
        try:
            with safe_open(self._path, "numpy") as file:
                if not self._is_ours(file):
                    return {}
                contents, values = file.get_tensor("contents"), file.get_tensor("values")
        except (OSError, SafetensorError):
            return {}
        return {row.tobytes().hex(): value for row, value in zip(contents, values, strict=True)}

    def _is_ours(self, file: Any) -> bool:
        """Tell whether a file has what we write, before any of it is read: numpy knows not all numbers."""
        if set(file.keys()) != {"contents", "values"}:
            return False
        contents, values = file.get_slice("contents"), file.get_slice("values")
        count = values.get_shape()[0] if values.get_shape() else 0
        return (
            (contents.get_dtype(), values.get_dtype()) == ("U8", "F32")
            and contents.get_shape() == [count, _DIGEST]
            and values.get_shape() == [count, *self._shape]
        )

    def add(self, made: Mapping[str, NDArray[np.float32]], *, say: Callable[[str], None]) -> None:
        """Keep more; where that fails, the training goes on, and the next one computes them again."""
        kept = {**self.read(), **made}
        names = b"".join(bytes.fromhex(content) for content in kept)
        document = {
            "contents": np.frombuffer(names, np.uint8).reshape(-1, _DIGEST),
            "values": np.stack(list(kept.values())),
        }
        try:
            with disk.write_errors_named(self._path.parent):
                disk.make_folder(self._path.parent)
            disk.write_atomically(self._path, save(document))
        except CannotWrite as error:
            say(f"features are not kept: {error.message}. The training goes on.")
