"""The preprocessing of a network's input: the size of the image and its normalisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from harvest.errors import TrainingError
from harvest.training.image_array import resize_side
from harvest.training.network.find_model_files import PREPROCESSOR
from harvest.training.training_options import LARGEST

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from harvest.training.network.model_files import ModelFiles

Channels = tuple[float, float, float]

_MOST = 1e30  # an integer in JSON may be larger than any float
_BILINEAR = 2  # the number that transformers and Pillow use


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """A square of `size` pixels with values from 0 to 1, minus `mean`, divided by `std`."""

    size: int
    mean: Channels
    std: Channels

    @classmethod
    def read(cls, files: ModelFiles, config: PretrainedConfig, size: int | None) -> Self:
        """Read the preprocessing from a network's files; `size` overrides theirs."""
        document = files.preprocessor or _read_timm_config(files.config)
        side = size or _side(document) or _side({"size": getattr(config, "image_size", None)}) or 224
        if side > LARGEST:
            raise TrainingError(
                f"{files.source} needs images of more than {LARGEST:,} pixels a side.",
                "Choose a smaller --size.",
            )
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if document.get("do_normalize", True):
            mean, std = _channels(document, "image_mean"), _channels(document, "image_std")
        # A rescale factor other than 1/255 is folded into mean and std.
        factor = document.get("rescale_factor") or 1 / 255 if document.get("do_rescale", True) else 1.0
        scale = 1 / (255 * _number(factor, "rescale_factor"))
        return cls(side, _scale_channels(mean, scale), _scale_channels(std, scale))

    def as_json(self) -> dict[str, Any]:
        """Return the contents of preprocessor_config.json."""
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


def _read_timm_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the preprocessing in timm's own configuration, under the names of transformers."""
    pretrained = config.get("pretrained_cfg")
    if not isinstance(pretrained, dict):
        return {}
    shape = pretrained.get("input_size")
    return {
        "image_mean": pretrained.get("mean"),
        "image_std": pretrained.get("std"),
        "size": shape[-1] if isinstance(shape, list) and shape else None,
    }


def _side(document: dict[str, Any]) -> int | None:
    """Return the side of the input image, whichever way the configuration writes it.

    >>> _side({"crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 256}})
    224
    >>> _side({"size": {"shortest_edge": 384}}), _side({"size": 32}), _side({})
    (384, 32, None)
    """
    names = ("crop_size", "size") if document.get("do_center_crop", True) else ("size",)
    for name in names:
        value = document.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = value.get("height") or value.get("shortest_edge")
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _channels(document: dict[str, Any], name: str) -> Channels:
    values = document.get(name)
    if values is None:
        return (0.5, 0.5, 0.5)
    if not isinstance(values, list) or len(values) != 3:  # noqa: PLR2004
        raise TrainingError(f"{PREPROCESSOR}: {name} must be three numbers, not {values!r:.60}")
    first, second, third = (_number(value, name) for value in values)
    return first, second, third


def _number(value: Any, name: str) -> float:
    least = -_MOST if name == "image_mean" else 0
    if not isinstance(value, int | float) or not least < value < _MOST:
        raise TrainingError(f"{PREPROCESSOR}: {name} cannot be {value!r:.60}")
    return float(value)


def _scale_channels(channels: Channels, scale: float) -> Channels:
    first, second, third = channels
    return first * scale, second * scale, third * scale
