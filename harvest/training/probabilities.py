"""What a network says of pictures: probabilities, picture by picture, in the precision it will be used in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from harvest.training.cpu_parallel import workers_for_prediction
from harvest.training.pictures.labelled_pictures import SplitPart
from harvest.training.torch_dataset import ImageDataset, collate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harvest.training.load_folders import TrainingData
    from harvest.training.network.network import Network
    from harvest.training.pictures.labelled_pictures import LabelledPictures
    from harvest.training.session import Session

    Answers = dict[SplitPart, NDArray[np.float64]]

HELD_OUT_PARTS = (SplitPart.VALID, SplitPart.TEST)


def compute_probabilities(
    network: Network,
    album: LabelledPictures,
    rows: Sequence[int],
    *,
    batch: int,
    tick: Callable[[int, int], None],
) -> NDArray[np.float64]:
    """Return a row of probabilities a picture; of one that is gone, of numbers that are none."""
    told = np.full((len(rows), len(album.labels)), np.nan)
    lessons = ImageDataset(album, rows, network)
    model: Any = network.model
    model.eval()
    device = next(model.parameters()).device
    place = 0
    with workers_for_prediction(network, batch=batch) as hands:
        for some in DataLoader(lessons, batch, collate_fn=list):
            here = [place + i for i, lesson in enumerate(some) if len(lesson["labels"])]
            place += len(some)
            if here:
                given = {name: value.to(device) for name, value in collate(some).items()}
                logits = hands.predict(model, given)
                told[here] = torch.softmax(logits.double().cpu(), dim=1).numpy()
            tick(place, len(rows))
    return told


def held_out_probabilities(session: Session, network: Network, pictures: TrainingData) -> Answers:
    """Return what a network says of the pictures that it did not learn from, part by part."""
    batch, tick = session.options.batch, session.progress.tick
    return {
        part: compute_probabilities(network, pictures.album, pictures.split.rows(part).tolist(), batch=batch, tick=tick)
        for part in HELD_OUT_PARTS
    }
