"""Compute the probabilities that a network predicts for images, in the precision that is used later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from harvest.labelled_pictures.load_pictures import SplitPart
from harvest.training.cpu_parallel import workers_for_prediction
from harvest.training.torch_dataset import ImageDataset, collate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.training.load_and_split import TrainingData
    from harvest.training.network.network_with_classes import Network
    from harvest.training.objects_shared_by_steps import Session

    Answers = dict[SplitPart, NDArray[np.float64]]

HELD_OUT_PARTS = (SplitPart.VALID, SplitPart.TEST)


def compute_probabilities(
    network: Network,
    pictures: LabelledPictures,
    rows: Sequence[int],
    *,
    batch: int,
    tick: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Return a row of probabilities for each image; NaN where the file is missing or broken."""
    probabilities = np.full((len(rows), len(pictures.labels)), np.nan)
    dataset = ImageDataset(pictures, rows, network)
    model: Any = network.model
    model.eval()
    device = next(model.parameters()).device
    place = 0
    with workers_for_prediction(network, batch=batch) as workers:
        for samples in DataLoader(dataset, batch, collate_fn=list):
            here = [place + i for i, sample in enumerate(samples) if len(sample["labels"])]
            place += len(samples)
            if here:
                inputs = {name: value.to(device) for name, value in collate(samples).items()}
                logits = workers.predict(model, inputs)
                probabilities[here] = torch.softmax(logits.double().cpu(), dim=1).numpy()
            tick(place, len(rows))
    return probabilities


def held_out_probabilities(session: Session, network: Network, data: TrainingData) -> Answers:
    """Return the probabilities of the validation and test sets."""
    batch, tick = session.options.batch, session.progress.tick
    return {
        part: compute_probabilities(network, data.pictures, data.split.rows(part).tolist(), batch=batch, tick=tick)
        for part in HELD_OUT_PARTS
    }
