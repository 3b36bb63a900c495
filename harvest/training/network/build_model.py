"""Build a transformers model from its files, with a last layer for a given number of classes."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from harvest.errors import TrainingError
from harvest.training.network import find_model_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

    from harvest.training.network.model_files import ModelFiles

_LAYERS = re.compile(r"depth|layers$|num_blocks|repeats")
_MOST_LAYERS = 2000  # twice as many as the deepest known networks have
_MOST_LABELS = 1_000_000
# Largest allowed difference between the parameter counts of the weights and of the network, as a factor and
# a surplus: a file may also hold the text part of a model.
_FACTOR, _SURPLUS = 8, 100_000_000

# What transformers raises for a configuration that is invalid or unknown.
BUILD_ERRORS = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    ImportError,
    StrictDataclassError,
)


def read_config(files: ModelFiles) -> PretrainedConfig:
    """Return the configuration of a network, without code it names and within limits of size."""
    document = dict(files.config)
    kind = document.pop("model_type", "timm_wrapper" if "architecture" in document else None)
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise TrainingError(
            f"{files.source}: transformers does not know the model type {kind!r:.80}.",
            "Code in a model repository is never run. Choose another model, or upgrade transformers.",
        )
    _check_bounds(files.source, document)
    if kind == "timm_wrapper":
        _check_timm_name(files.source, document)
    with find_model_files.silence_libraries():
        try:
            config = CONFIG_MAPPING[kind].from_dict(document)
        except BUILD_ERRORS as error:
            raise _unusable_model(files, error) from error
    if type(config) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise TrainingError(
            f"{files.source} cannot classify images: transformers has no image classifier of type {kind}.",
            f"Try --model {' or '.join(find_model_files.NAMES)}.",
        )
    return config


def _check_bounds(source: str, document: dict[str, Any]) -> None:
    """Refuse a number of layers or labels that would take days to build and fill the memory."""
    for name, value in document.items():
        counts = value if isinstance(value, list) else [value]
        if _LAYERS.search(name) and sum(count for count in counts if isinstance(count, int)) > _MOST_LAYERS:
            raise TrainingError(f"{source}: {name} in its config.json asks for more than {_MOST_LAYERS:,} layers.")
    labels = document.get("num_labels")
    if isinstance(labels, int) and labels > _MOST_LABELS:
        raise TrainingError(f"{source}: its config.json asks for more than {_MOST_LABELS:,} labels.")


def _check_timm_name(source: str, document: dict[str, Any]) -> None:
    """Refuse a name that makes timm download from elsewhere, and remove its number of classes: ours counts."""
    name = document.get("architecture")
    if not isinstance(name, str) or not name.replace("_", "").isalnum():
        raise TrainingError(f"{source}: {name!r:.80} is not the name of a timm network.")
    arguments = document.get("model_args")
    if isinstance(arguments, dict):
        arguments.pop("num_classes", None)


def labels_of(config: PretrainedConfig) -> tuple[str, ...]:
    """Return the classes of a network, in order."""
    known: dict[int, Any] = config.id2label or {}  # type: ignore[assignment]
    return tuple(str(known[number]) for number in sorted(known))


def build_model(files: ModelFiles, config: PretrainedConfig, classes: int) -> PreTrainedModel:
    """Build the model and load its weights; a last layer of another shape is initialised anew."""
    kind: Any = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    kind = (
        kind[0] if isinstance(kind, tuple) else kind
    )  # DeiT and LeViT have a second class, with a distillation teacher
    with find_model_files.silence_libraries():
        try:
            _check_parameter_count(files, _count_parameters(kind, config))
            if files.paths is None:
                model: PreTrainedModel = kind(config).eval()
                return model
            model, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=files.weights,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except BUILD_ERRORS as error:
            raise _unusable_model(files, error) from error
    head = last_layer(model, classes)[0]
    unfit = [
        name
        for name in {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
        if name.startswith(f"{model.base_model_prefix}.") and not name.startswith(f"{head}.")
    ]
    if unfit:
        raise TrainingError(
            f"{files.source}: its weights do not fit its {find_model_files.CONFIG}: {len(unfit)} tensors are missing "
            f"or have another shape, for example {min(unfit)}."
        )
    return model


def _count_parameters(kind: Any, config: PretrainedConfig) -> int:
    """Count the parameters of a network without allocating them; 0 if it cannot be built that way."""
    try:
        with torch.device("meta"):
            model: nn.Module = kind(copy.deepcopy(config))
    except BUILD_ERRORS:
        return 0  # building it for real raises the same error
    return sum(each.numel() for each in (*model.parameters(), *model.buffers()))


def _check_parameter_count(files: ModelFiles, count: int) -> None:
    """Refuse a configuration with far more parameters than its weights have, or far fewer."""
    few, many = sorted((count, files.count))
    if count > find_model_files.MOST_NUMBERS or (count and files.paths and many > _FACTOR * few + _SURPLUS):
        has = f"; its weights have {files.count:,}" if files.paths else ""
        raise TrainingError(
            f"{files.source}: its {find_model_files.CONFIG} asks for a network of {count:,} parameters{has}.",
            f"Choose another network: --model {' or '.join(find_model_files.NAMES)}.",
        )


def last_layer(model: nn.Module, classes: int) -> tuple[str, nn.Linear]:
    """Return the last linear layer with one output per class, and its name."""
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    ]
    if not found:
        raise TrainingError(
            f"{type(model).__name__} has no linear layer with one output per class.",
            f"Choose another network: --model {' or '.join(find_model_files.NAMES)}.",
        )
    return found[-1]


def _unusable_model(files: ModelFiles, error: Exception) -> TrainingError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return TrainingError(f"{files.source}: its {find_model_files.CONFIG} cannot be used: {reason}")
