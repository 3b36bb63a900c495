"""A network: a model of transformers, the classes it tells apart, and how pictures go into it."""

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
from harvest.training.network import build_model, model_files
from harvest.training.network.architectures import ARCHITECTURES
from harvest.training.network.preprocessing import Preprocessing
from harvest.training.network.write_weights import weight_errors_named

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor, nn
    from transformers import PreTrainedModel

LABELS = "labels.txt"


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
        return build_model.last_layer(self.model, len(self.labels))[1]

    @property
    def fingerprint(self) -> str:
        """A name for what turns pictures into features: the weights below the head, and the way in."""
        head = build_model.last_layer(self.model, len(self.labels))[0]
        digest = hashlib.sha256(repr((type(self.model).__name__, self.preprocessing)).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            if not name.startswith(f"{head}."):
                digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
                digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
        return digest.hexdigest()

    def features(self, pixels: Tensor) -> Tensor:
        """Return what the head gets for a batch of pictures."""
        return self._head_input_and_output(pixels)[0]

    def _head_input_and_output(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the head gets, and what the model answers."""
        caught: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, given: caught.append(given[0]))
        try:
            answer: Tensor = self.model(pixel_values=pixels).logits
        finally:
            hook.remove()
        return caught[-1], answer

    def save(self, run: Path) -> None:
        """Write what is needed to use it elsewhere; each file is there as a whole or as it was before.

        Last comes what a run is known by: without the others it would answer, and wrongly.
        """
        disk.write_atomically(
            run / model_files.PREPROCESSOR, json.dumps(self.preprocessing.as_json(), indent=2).encode()
        )
        disk.write_atomically(run / LABELS, "".join(f"{label}\n" for label in self.labels).encode())
        with weight_errors_named(run), tempfile.TemporaryDirectory(prefix=".network-", dir=run) as part:
            with model_files.silence_libraries():
                self.model.save_pretrained(part)
            mode = (Path(part) / model_files.CONFIG).stat().st_mode
            for path in sorted(Path(part).iterdir(), reverse=True):
                path.chmod(mode)  # safetensors lets only the owner read
                _sync(path)
                disk.replace(path, run / path.name)

    def restore(self, run: Path) -> None:
        """Take up the weights that `save` wrote."""
        kept = open_trained_network(run).model
        try:
            self.model.load_state_dict(kept.state_dict())
        except RuntimeError as error:
            raise TrainingError(
                f"{run} holds another network than {self.source} is: {type(kept).__name__}.",
                "Begin a new run, without --resume.",
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
    """Make a network for these classes: from a hub id, a short name, a directory or an earlier run.

    Its head is new, unless the source tells just these classes apart.
    """
    if from_scratch and source in ARCHITECTURES:
        files = model_files.ModelFiles(source, *ARCHITECTURES[source], None)
    else:
        files = model_files.find_model_files(source, weights=not from_scratch, say=say)
    config = build_model.read_config(files)
    known = build_model.labels_of(config)
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = build_model.build_model(files, config, len(labels))
        if known != tuple(labels):
            build_model.last_layer(model, len(labels))[1].reset_parameters()
    network = Network(model, tuple(labels), Preprocessing.read(files, config, size), source)
    _check(network)
    return network


def open_trained_network(run: Path) -> Network:
    """Open what a training wrote, to use it as it is."""
    files = model_files.find_model_files(str(run if run.is_absolute() else Path.cwd() / run))
    config = build_model.read_config(files)
    labels = build_model.labels_of(config)
    model = build_model.build_model(files, config, len(labels))
    network = Network(model, labels, Preprocessing.read(files, config, None), str(run))
    _check(network)
    return network


def _check(network: Network) -> None:
    """Try one picture: its size must be taken, and the answer be what the head makes of its features."""
    head, grey = network.head, torch.zeros(1, 3, network.size, network.size)
    try:
        with torch.inference_mode():
            features, answer = network._head_input_and_output(grey)  # noqa: SLF001 - a part of this module
            agrees = features.shape == (1, head.in_features) and torch.allclose(
                head(features), answer, atol=1e-4, equal_nan=True
            )
    except build_model.BUILD_ERRORS as error:
        raise TrainingError(
            f"{network.source} takes no picture of {network.size} × {network.size} pixels: {error}",
            "Try another --size.",
        ) from error
    if not agrees or head.bias is None:
        raise TrainingError(
            f"{network.source}: {type(network.model).__name__} does not end in one linear layer.",
            f"Choose another network: --model {' or '.join(model_files.SHORT)}.",
        )


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
