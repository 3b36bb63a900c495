"""The files of a network: its two configurations and its weights.

Weights are only read from safetensors, which cannot hold code.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from harvest.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor


@dataclass(frozen=True)
class ModelFiles:
    """The files of a network: both configurations, and the weights if they were asked for."""

    source: str
    config: dict[str, Any]
    preprocessor: dict[str, Any]
    paths: tuple[Path, ...] | None = field(repr=False)  # of the weights; None if they were not asked for

    @cached_property
    def count(self) -> int:
        """The number of parameters, read from the headers of the weight files alone."""
        return sum(map(_count_parameters, self.paths or ()))

    @cached_property
    def weights(self) -> dict[str, Tensor] | None:
        """The weights by name; None if they were not asked for."""
        if self.paths is None:
            return None
        return {name: tensor for path in self.paths for name, tensor in _tensors(path).items()}


def _count_parameters(path: Path) -> int:
    """Count the parameters of a weight file from its header."""
    with _weight_errors_named(path), safe_open(path, "numpy") as file:  # with "torch" it would map the whole file
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - not a dict


def _tensors(path: Path) -> dict[str, Tensor]:
    with _weight_errors_named(path):
        # Copy: a mapped tensor changes with its file, and if the file is truncated the process is killed.
        return {name: tensor.clone() for name, tensor in load_file(path).items()}


@contextmanager
def _weight_errors_named(path: Path) -> Iterator[None]:
    """Turn an error while reading a weight file into one that names the file."""
    if not path.is_file():  # reading a pipe would block
        raise TrainingError(f"{path} is missing or is not a file.", "Copy it from where the other files came from.")
    try:
        yield
    except (SafetensorError, OSError, RuntimeError) as error:  # torch raises RuntimeError if it cannot map the file
        raise TrainingError(f"{path} is damaged or truncated: {error}", "Download or copy it again.") from error
