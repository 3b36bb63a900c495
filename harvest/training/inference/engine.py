"""What runs a network: torch or onnxruntime."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harvest.training.inference.reference_features import AcceptanceQuantiles


class EngineOutput(NamedTuple):
    """The output for a batch of images; the last two are None for a run without reference features."""

    probabilities: NDArray[np.float32]  # images × classes
    similarities: NDArray[np.float32] | None = None  # to the nearest training images
    nearest: NDArray[np.int64] | None = None  # the number of the nearest one


class Engine(Protocol):
    """Runs a network."""

    name: str
    labels: tuple[str, ...]
    size: int
    images: tuple[str, ...]  # the names of the training images that `nearest` counts
    quantiles: AcceptanceQuantiles | None

    def __call__(self, views: NDArray[np.uint8]) -> EngineOutput:
        """Return the output for a batch of views."""
        ...
