"""What the page needs of a training run: predictions, orders of images, and features that are computed on request.

The page does not import the training, which needs PyTorch: `harvest.open_review` passes this in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

MODEL_ORDERS = ("odd", "other", "loss", "similar")  # by features, but `loss`, which is by predictions


class ModelPrediction(NamedTuple):
    """The class that a model which was not trained on an image predicts for it; `loss` is that of its label."""

    class_name: str
    probability: float
    loss: float


class ImageWithoutFeatures(NamedTuple):
    """An image whose features are to be computed."""

    class_name: str
    name: str
    content: str


class FeatureComputation(NamedTuple):
    """The state of a computation of features: images done and in all, or the reason why it failed."""

    is_running: bool = False
    done: int = 0
    total: int = 0
    error: str = ""


class ModelResults(Protocol):
    """The newest training run of a dataset. All methods may take long, except where noted."""

    @property
    def run(self) -> str:
        """The name of the newest run, empty without any; quick."""
        ...

    @property
    def predictions(self) -> Mapping[str, ModelPrediction]:
        """The out-of-fold predictions by content hash; quick."""
        ...

    @property
    def with_features(self) -> Collection[str]:
        """The content hashes of the images whose features are known; quick."""
        ...

    @property
    def computation(self) -> FeatureComputation:
        """The state of the computation; quick."""
        ...

    def refresh(self) -> None:
        """Read what a training or a computation wrote since the last call."""
        ...

    def order_images(self, order: str, labels: Mapping[str, str], like: str = "") -> list[str]:
        """Return content hashes in one of MODEL_ORDERS; `like` is the image that others are compared with."""
        ...

    def compute_features(self, images: Sequence[ImageWithoutFeatures]) -> None:
        """Start to compute the features of images in another process, unless that is running."""
        ...

    def close(self) -> None:
        """Stop the computation."""
        ...


class NoModel:
    """The results of no training run."""

    run = ""
    predictions: Mapping[str, ModelPrediction] = {}
    with_features: Collection[str] = ()
    computation = FeatureComputation()

    def refresh(self) -> None:
        """Do nothing."""

    def order_images(self, _order: str, _labels: Mapping[str, str], _like: str = "") -> list[str]:
        """Return no images."""
        return []

    def compute_features(self, images: Sequence[ImageWithoutFeatures]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
