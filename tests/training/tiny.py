"""A tiny network like that of a training: 32 pixels, random weights, fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import ResNetConfig, ResNetForImageClassification

from harvest.training.network.input_size_and_normalisation import Preprocessing
from harvest.training.network.network_with_classes import Network

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LABELS = ("coral_snake", "king_snake", "milk_snake")
SEEN = Preprocessing(32, (0.48, 0.45, 0.4), (0.23, 0.22, 0.25))


def network(labels: Sequence[str] = LABELS, seed: int = 0) -> Network:
    """Return a network of random weights whose predictions are confident, right or wrong."""
    config = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        made = Network(ResNetForImageClassification(config).eval(), tuple(labels), SEEN, "tiny")
    with torch.no_grad():
        made.head.weight.mul_(30)
    return made


def write_run(path: Path, labels: Sequence[str] = LABELS, seed: int = 0) -> Path:
    """Write a run of such a network."""
    path.mkdir(parents=True)
    network(labels, seed).save(path)
    return path
