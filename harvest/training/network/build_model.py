"""A model of transformers put together from its files, with a last layer for so many classes."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from harvest.errors import TrainingError
from harvest.training.network import model_files

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

_LAYERS = re.compile(r"depth|layers$|num_blocks|repeats")
_DEEPEST = 2000  # layers: of the deepest networks there are, twice as many
_MOST_LABELS = 1_000_000
_TIMES, _MORE = (
    8,
    100_000_000,
)  # how far weights and network may differ: a file may hold a part for texts, too

# What transformers raises on a description that makes no sense, or that it does not know.
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


def read_config(files: model_files.ModelFiles) -> PretrainedConfig:
    """Read what kind of network it is."""
    document = dict(files.config)
    kind = document.pop("model_type", "timm_wrapper" if "architecture" in document else None)
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise TrainingError(
            f"{files.source}: transformers knows no network of the type {kind!r:.80}.",
            "Code that a model brings along is never run. Choose another, or a newer transformers.",
        )
    _check_bounds(files.source, document)
    if kind == "timm_wrapper":
        _check_timms(files.source, document)
    with model_files.silence_libraries():
        try:
            config = CONFIG_MAPPING[kind].from_dict(document)
        except BUILD_ERRORS as error:
            raise _unusable_model(files, error) from error
    if type(config) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise TrainingError(
            f"{files.source} cannot tell pictures apart: transformers classifies none with {kind}.",
            f"Try --model {' or '.join(model_files.SHORT)}.",
        )
    return config


def _check_bounds(source: str, document: dict[str, Any]) -> None:
    """Refuse what would be built layer by layer, or label by label, for days, until the memory is full."""
    for name, said in document.items():
        counts = said if isinstance(said, list) else [said]
        if _LAYERS.search(name) and sum(count for count in counts if isinstance(count, int)) > _DEEPEST:
            raise TrainingError(f"{source}: its config.json wants more than {_DEEPEST:,} layers: {name}.")
    labels = document.get("num_labels")
    if isinstance(labels, int) and labels > _MOST_LABELS:
        raise TrainingError(f"{source}: its config.json wants more than {_MOST_LABELS:,} labels.")


def _check_timms(source: str, document: dict[str, Any]) -> None:
    """Refuse a name by which timm would fetch from elsewhere, and let us say how many classes there are."""
    name = document.get("architecture")
    if not isinstance(name, str) or not name.replace("_", "").isalnum():
        raise TrainingError(f"{source}: {name!r:.80} is no network of timm's.")
    arguments = document.get("model_args")
    if isinstance(arguments, dict):
        arguments.pop("num_classes", None)


def labels_of(config: PretrainedConfig) -> tuple[str, ...]:
    """Return the classes that a network tells apart, in order."""
    known: dict[int, Any] = config.id2label or {}  # type: ignore[assignment]
    return tuple(str(known[number]) for number in sorted(known))


def build_model(files: model_files.ModelFiles, config: PretrainedConfig, classes: int) -> PreTrainedModel:
    """Build the model, and give it the weights of its files; a last layer that does not fit them is new."""
    kind: Any = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    kind = kind[0] if isinstance(kind, tuple) else kind  # DeiT and LeViT have a second one, with a teacher
    with model_files.silence_libraries():
        try:
            _check_count(files, _count(kind, config))
            if files.paths is None:
                made: PreTrainedModel = kind(config).eval()
                return made
            made, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=files.weights,
                ignore_mismatched_sizes=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        except BUILD_ERRORS as error:
            raise _unusable_model(files, error) from error
    head = last_layer(made, classes)[0]
    body = [
        name
        for name in {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
        if name.startswith(f"{made.base_model_prefix}.") and not name.startswith(f"{head}.")
    ]
    if body:
        raise TrainingError(
            f"{files.source}: its weights are not those of its {model_files.CONFIG}: {len(body)} are missing"
            f", or of another shape, {min(body)} among them."
        )
    return made


def _count(kind: Any, config: PretrainedConfig) -> int:
    """Count the numbers of a network without making them; 0 where a network cannot be made so."""
    try:
        with torch.device("meta"):
            model: nn.Module = kind(copy.deepcopy(config))
    except BUILD_ERRORS:
        return 0  # it will say so when it is made
    return sum(each.numel() for each in (*model.parameters(), *model.buffers()))


def _check_count(files: model_files.ModelFiles, count: int) -> None:
    """Refuse a description that asks for far more numbers than its weights have, or far fewer."""
    few, many = sorted((count, files.count))
    if count > model_files.MOST_NUMBERS or (count and files.paths and many > _TIMES * few + _MORE):
        has = f", its weights have {files.count:,}" if files.paths else ""
        raise TrainingError(
            f"{files.source}: its {model_files.CONFIG} wants a network of {count:,} numbers{has}.",
            f"Choose another network: --model {' or '.join(model_files.SHORT)}.",
        )


def last_layer(model: nn.Module, classes: int) -> tuple[str, nn.Linear]:
    """Return the last layer and its name: the last linear one with a number for each class."""
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    ]
    if not found:
        raise TrainingError(
            f"{type(model).__name__} has no last layer with one number for each class.",
            f"Choose another network: --model {' or '.join(model_files.SHORT)}.",
        )
    return found[-1]


def _unusable_model(files: model_files.ModelFiles, error: Exception) -> TrainingError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return TrainingError(f"{files.source}: no network can be made of its {model_files.CONFIG}: {reason}")
