"""Configurations of the networks that `--from-scratch` builds without a download."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harvest.training.network import packaged_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

_RESNET = {
    "model_type": "resnet",
    "embedding_size": 64,
    "hidden_sizes": [64, 128, 256, 512],
    "layer_type": "basic",
}
_NORMAL = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}

# Name → contents of config.json and of preprocessor_config.json.
ARCHITECTURES: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    packaged_weights.NAME: (packaged_weights.CONFIG, packaged_weights.PREPROCESSOR),
    "resnet18": ({**_RESNET, "depths": [2, 2, 2, 2]}, {**_NORMAL, "crop_size": 224}),
    "resnet34": ({**_RESNET, "depths": [3, 4, 6, 3]}, {**_NORMAL, "crop_size": 224}),
    "mobilenet": (
        {"model_type": "mobilenet_v2", "tf_padding": True},
        {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "crop_size": 224},
    ),
    "small": (
        {
            "model_type": "resnet",
            "embedding_size": 32,
            "hidden_sizes": [32, 64, 128],
            "depths": [1, 1, 1],
            "layer_type": "basic",
        },
        {**_NORMAL, "crop_size": 64},
    ),
}
