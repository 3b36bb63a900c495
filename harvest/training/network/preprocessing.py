"""How a network wants its pictures: the side of the square, and the numbers that stand for grey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from harvest.errors import TrainingError
from harvest.training.image_array import resize_side
from harvest.training.network.model_files import PREPROCESSOR
from harvest.training.training_options import LARGEST

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from harvest.training.network.model_files import ModelFiles

Channels = tuple[float, float, float]

_MOST = 1e30  # more is no number of a channel, and an integer may be larger than any float
_BILINEAR = 2  # as transformers and Pillow number it


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A square of `size` pixels, from 0 to 1, less `mean`, by `std`."""

    size: int
    mean: Channels
    std: Channels

    @classmethod
    def read(cls, files: ModelFiles, config: PretrainedConfig, size: int | None) -> Self:
        """Read it from a network's files; a size that is given goes before."""
        document = files.preprocessor or _timms(files.config)
        side = size or _side(document) or _side({"size": getattr(config, "image_size", None)}) or 224
        if side > LARGEST:
            raise TrainingError(
                f"{files.source} wants pictures of more than {LARGEST:,} pixels a side.",
                "Give another --size.",
            )
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if document.get("do_normalize", True):
            mean, std = _channels(document, "image_mean"), _channels(document, "image_std")
        # A factor other than 1/255 is as good as other numbers for grey.
        factor = document.get("rescale_factor") or 1 / 255 if document.get("do_rescale", True) else 1.0
        scale = 1 / (255 * _number(factor, "rescale_factor"))
        return cls(side, _scale_channels(mean, scale), _scale_channels(std, scale))

    def as_json(self) -> dict[str, Any]:
        """Say it as transformers reads it."""
        return {
            "image_processor_type": "BitImageProcessor",
            "do_convert_rgb": True,
            "do_resize": True,
            "size": {"shortest_edge": resize_side(self.size)},
            "resample": _BILINEAR,
            "do_center_crop": True,
            "crop_size": {"height": self.size, "width": self.size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "do_normalize": True,
            "image_mean": list(self.mean),
            "image_std": list(self.std),
        }


def _timms(config: dict[str, Any]) -> dict[str, Any]:
    """Read what timm says of pictures within its description of the network."""
    said = config.get("pretrained_cfg")
    if not isinstance(said, dict):
        return {}
    shape = said.get("input_size")
    return {
        "image_mean": said.get("mean"),
        "image_std": said.get("std"),
        "size": shape[-1] if isinstance(shape, list) and shape else None,
    }


def _side(document: dict[str, Any]) -> int | None:
    """Find the side of the square among the forms that it takes in the files of the hub.

    >>> _side({"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256}})
    224
    >>> _side({"size": {"shortest_edge": 384}}), _side({"size": 32}), _side({})
    (384, 32, None)
    """
    names = ("crop_size", "size") if document.get("do_center_crop", True) else ("size",)
    for name in names:
        said = document.get(name)
        if isinstance(said, list) and said:
            said = said[0]
        if isinstance(said, dict):
            said = said.get("height") or said.get("shortest_edge")
        if isinstance(said, int) and not isinstance(said, bool) and said > 0:
            return said
    return None


def _channels(document: dict[str, Any], name: str) -> Channels:
    said = document.get(name)
    if said is None:
        return (0.5, 0.5, 0.5)
    if not isinstance(said, list) or len(said) != 3:  # noqa: PLR2004
        raise TrainingError(f"{PREPROCESSOR}: {name} must be three numbers: {said!r:.60}")
    first, second, third = (_number(value, name) for value in said)
    return first, second, third


def _number(said: Any, name: str) -> float:
    least = -_MOST if name == "image_mean" else 0
    if not isinstance(said, int | float) or not least < said < _MOST:
        raise TrainingError(f"{PREPROCESSOR}: {name} cannot be {said!r:.60}")
    return float(said)


def _scale_channels(channels: Channels, scale: float) -> Channels:
    first, second, third = channels
    return first * scale, second * scale, third * scale
