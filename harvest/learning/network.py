"""A network: a model of transformers, the classes it tells apart, and how pictures go into it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from harvest import disk
from harvest.errors import TrainingError
from harvest.learning import weights
from harvest.learning.blueprints import BLUEPRINTS
from harvest.learning.preprocessing import Preprocessing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel

LABELS = "labels.txt"

# What transformers raises on a description that makes no sense, or that it does not know.
_SENSELESS = (
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


@dataclass
class Network:
    """A model with the pictures' way in; `source` is what the person asked for."""

    model: PreTrainedModel
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    source: str

    @property
    def size(self) -> int:
        """The side of the square that it sees."""
        return self.preprocessing.size

    @property
    def mean(self) -> tuple[float, float, float]:
        """What is taken from each channel."""
        return self.preprocessing.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """What each channel is divided by."""
        return self.preprocessing.std

    @property
    def head(self) -> nn.Linear:
        """The last layer: from what the network makes of a picture to one number for each class."""
        return _head(self.model, len(self.labels))[1]

    @property
    def fingerprint(self) -> str:
        """A name for what turns pictures into features: the weights below the head, and the way in."""
        head = _head(self.model, len(self.labels))[0]
        digest = hashlib.sha256(repr((type(self.model).__name__, self.preprocessing)).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith(f"{head}."):
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def features(self, pixels: Tensor) -> Tensor:
        """Return what the head gets for a batch of pictures."""
        caught: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
        try:
            self.model(pixel_values=pixels)
        finally:
            hook.remove()
        return caught[-1]

    def save(self, run: Path) -> None:
        """Write what is needed to use it elsewhere; each file is there as a whole or as it was before."""
        with disk.named(run), tempfile.TemporaryDirectory(prefix=".network-", dir=run) as part:
            with weights.quiet():
                self.model.save_pretrained(part)
            mode = (Path(part) / weights.CONFIG).stat().st_mode
            for path in sorted(Path(part).iterdir(), reverse=True):
                path.chmod(mode)  # safetensors lets only the owner read
                _sync(path)
                disk.replace(path, run / path.name)
        disk.rewrite(run / weights.PREPROCESSOR, json.dumps(self.preprocessing.as_json(), indent=2).encode())
        disk.rewrite(run / LABELS, "".join(f"{label}\n" for label in self.labels).encode())

    def restore(self, run: Path) -> None:
        """Take up the weights that `save` wrote."""
        self.model.load_state_dict(open_run(run).model.state_dict())


def load(
    source: str,
    labels: Sequence[str],
    *,
    size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Network:
    """Make a network for these classes: from a hub id, a short name, a directory or an earlier run.

    Its head is new, unless the source tells just these classes apart.
    """
    if from_scratch and source in BLUEPRINTS:
        files = weights.Files(source, *BLUEPRINTS[source], None)
    else:
        files = weights.find(source, weights=not from_scratch, say=say)
    config = _config(files)
    known = _labels(config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = _build(files, config, len(labels))
        if known != tuple(labels):
            _head(model, len(labels))[1].reset_parameters()
    network = Network(model, tuple(labels), Preprocessing.read(files, config, size), source)
    _check(network)
    return network


def open_run(run: Path) -> Network:
    """Open what a training wrote, to use it as it is."""
    files = weights.find(str(run if run.is_absolute() else Path.cwd() / run))
    config = _config(files)
    labels = _labels(config)
    model = _build(files, config, len(labels))
    network = Network(model, labels, Preprocessing.read(files, config, None), str(run))
    _check(network)
    return network


def _config(files: weights.Files) -> PretrainedConfig:
    document = dict(files.config)
    kind = document.pop("model_type", "timm_wrapper" if "architecture" in document else None)
    if kind not in CONFIG_MAPPING:
        raise TrainingError(
            f"{files.source}: transformers knows no network of the type {kind!r}.",
            "Code that a model brings along is never run. Choose another, or a newer transformers.",
        )
    if not str(document.get("architecture", "")).replace("_", "").isalnum() and kind == "timm_wrapper":
        raise TrainingError(f"{files.source}: {document.get('architecture')!r} is no network of timm's.")
    with weights.quiet():
        try:
            config = CONFIG_MAPPING[kind].from_dict(document)
        except _SENSELESS as error:
            raise _senseless(files, error) from error
    if type(config) not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        raise TrainingError(
            f"{files.source} cannot tell pictures apart: transformers classifies none with {kind}.",
            f"Try --model {' or '.join(weights.SHORT)}.",
        )
    return config


def _labels(config: PretrainedConfig) -> tuple[str, ...]:
    known: dict[int, Any] = config.id2label or {}  # type: ignore[assignment]
    return tuple(str(known[number]) for number in sorted(known))


def _build(files: weights.Files, config: PretrainedConfig, classes: int) -> PreTrainedModel:
    kind: Any = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[type(config)]
    kind = kind[0] if isinstance(kind, tuple) else kind  # DeiT and LeViT have a second one, with a teacher
    with weights.quiet():
        try:
            if files.weights is None:
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
        except _SENSELESS as error:
            raise _senseless(files, error) from error
    head = _head(made, classes)[0]
    body = [
        name
        for name in {*report["missing_keys"], *(name for name, *_ in report["mismatched_keys"])}
        if name.startswith(f"{made.base_model_prefix}.") and not name.startswith(f"{head}.")
    ]
    if body:
        raise TrainingError(
            f"{files.source}: its weights are not those of its {weights.CONFIG}: {len(body)} are missing, "
            f"or of another shape, {min(body)} among them."
        )
    return made


def _head(model: nn.Module, classes: int) -> tuple[str, nn.Linear]:
    """Return the last layer and its name: the last linear one with a number for each class."""
    found = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module.out_features == classes
    ]
    if not found:
        raise TrainingError(
            f"{type(model).__name__} has no last layer with one number for each class.",
            f"Choose another network: --model {' or '.join(weights.SHORT)}.",
        )
    return found[-1]


def _check(network: Network) -> None:
    """Try one picture: its size must be taken, and the answer be what the head makes of its features."""
    grey = torch.zeros(1, 3, network.size, network.size)
    try:
        with torch.inference_mode():
            features = network.features(grey)
            agrees = features.ndim == 2 and torch.allclose(  # noqa: PLR2004 - pictures by features
                network.head(features), network.model(pixel_values=grey).logits, atol=1e-4, equal_nan=True
            )
    except _SENSELESS as error:
        raise TrainingError(
            f"{network.source} takes no picture of {network.size} × {network.size} pixels: {error}",
            "Try another --size.",
        ) from error
    if not agrees:
        raise TrainingError(
            f"{network.source}: {type(network.model).__name__} does not end in one linear layer.",
            f"Choose another network: --model {' or '.join(weights.SHORT)}.",
        )


def _senseless(files: weights.Files, error: Exception) -> TrainingError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return TrainingError(f"{files.source}: no network can be made of its {weights.CONFIG}: {reason}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
