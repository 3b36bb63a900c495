"""A network: a transformers model, its classes, and the preprocessing of its input."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from harvest.errors import TrainingError
from harvest.files import disk
from harvest.training.network import build_model, find_model_files
from harvest.training.network.from_scratch_configs import ARCHITECTURES
from harvest.training.network.input_size_and_normalisation import Preprocessing
from harvest.training.network.model_files import ModelFiles
from harvest.training.network.weight_write_errors import weight_errors_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn
    from transformers import PreTrainedModel

LABELS = "labels.txt"


@dataclass
class Network:
    """A model with its classes and preprocessing; `source` is what the user asked for."""

    model: PreTrainedModel
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    source: str

    @property
    def size(self) -> int:
        """The side of its square input in pixels."""
        return self.preprocessing.size

    @property
    def mean(self) -> tuple[float, float, float]:
        """What is subtracted from each channel."""
        return self.preprocessing.mean

    @property
    def std(self) -> tuple[float, float, float]:
        """What each channel is divided by."""
        return self.preprocessing.std

    @property
    def head(self) -> nn.Linear:
        """The last layer: from the features of an image to one number for each class."""
        return build_model.last_layer(self.model, len(self.labels))[1]

    @property
    def fingerprint(self) -> str:
        """A hash of everything that turns images into features: the weights below the head and the preprocessing."""
        head = build_model.last_layer(self.model, len(self.labels))[0]
        digest = hashlib.sha256(repr((type(self.model).__name__, self.preprocessing)).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith(f"{head}."):
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def features(self, pixels: Tensor) -> Tensor:
        """Return the features of a batch of images: the input of the head."""
        return self._head_input_and_output(pixels)[0]

    def _head_input_and_output(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the input of the head and the output of the model."""
        inputs: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        try:
            output: Tensor = self.model(pixel_values=pixels).logits
        finally:
            hook.remove()
        return inputs[-1], output

    def save(self, run: Path) -> None:
        """Write the model, its labels and its preprocessing; each file is replaced whole or not at all.

        config.json, by which a run is recognised, comes last: without the other files, predictions would be
        wrong.
        """
        disk.write_atomically(
            run / find_model_files.PREPROCESSOR, json.dumps(self.preprocessing.as_json(), indent=2).encode()
        )
        disk.write_atomically(run / LABELS, "".join(f"{label}\n" for label in self.labels).encode())
        with weight_errors_named(run), tempfile.TemporaryDirectory(prefix=".network-", dir=run) as temporary:
            with find_model_files.silence_libraries():
                self.model.save_pretrained(temporary)
            mode = (Path(temporary) / find_model_files.CONFIG).stat().st_mode
            for path in sorted(Path(temporary).iterdir(), reverse=True):
                path.chmod(mode)  # safetensors writes files that only the owner can read
                _sync(path)
                disk.replace(path, run / path.name)

    def restore(self, run: Path) -> None:
        """Load the weights that `save` wrote."""
        saved = open_trained_network(run).model
        try:
            self.model.load_state_dict(saved.state_dict())
        except RuntimeError as error:
            raise TrainingError(
                f"{run} holds a {type(saved).__name__}, which is another network than {self.source}.",
                "Start a new run, without --resume.",
            ) from error


def load_pretrained(
    source: str,
    labels: Sequence[str],
    *,
    size: int | None = None,
    from_scratch: bool = False,
    seed: int = 0,
    say: Callable[[str], None] | None = None,
) -> Network:
    """Load a network for these classes by a hub id, a short name, a directory or an earlier run.

    Its head is new, unless the source has exactly these classes.
    """
    if from_scratch and source in ARCHITECTURES:
        files = ModelFiles(source, *ARCHITECTURES[source], None)
    else:
        files = find_model_files.find_model_files(source, weights=not from_scratch, say=say)
    config = build_model.read_config(files)
    labels_before = build_model.labels_of(config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = build_model.build_model(files, config, len(labels))
        if labels_before != tuple(labels):
            build_model.last_layer(model, len(labels))[1].reset_parameters()
    network = Network(model, tuple(labels), Preprocessing.read(files, config, size), source)
    _check(network)
    return network


def open_trained_network(run: Path) -> Network:
    """Load the network of a finished run, unchanged."""
    files = find_model_files.find_model_files(str(run if run.is_absolute() else Path.cwd() / run))
    config = build_model.read_config(files)
    labels = build_model.labels_of(config)
    model = build_model.build_model(files, config, len(labels))
    network = Network(model, labels, Preprocessing.read(files, config, None), str(run))
    _check(network)
    return network


def _check(network: Network) -> None:
    """Check with one image that the input size works and that the output is the head applied to the features."""
    head, image = network.head, torch.zeros(1, 3, network.size, network.size)
    try:
        with torch.inference_mode():
            features, output = network._head_input_and_output(image)  # noqa: SLF001 - same module
            agrees = features.shape == (1, head.in_features) and torch.allclose(
                head(features), output, atol=1e-4, equal_nan=True
            )
    except build_model.BUILD_ERRORS as error:
        raise TrainingError(
            f"{network.source} does not accept images of {network.size} × {network.size} pixels: {error}",
            "Try another --size.",
        ) from error
    if not agrees or head.bias is None:
        raise TrainingError(
            f"{network.source}: {type(network.model).__name__} does not end in a single linear layer.",
            f"Choose another network: --model {' or '.join(find_model_files.NAMES)}.",
        )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
