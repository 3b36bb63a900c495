"""A torch Dataset of the images of one part; training images get new augmented views every epoch."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, TypedDict

import torch
from torch.utils.data import Dataset

from harvest.models import Refusal
from harvest.training import image_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image
    from torch import Tensor

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.training.augment import View
    from harvest.training.network.network_with_classes import Network

ROOM = 512 << 20  # bytes of decoded images kept in memory: decoding again takes as long as a small network


class TrainingSample(TypedDict):
    """The arguments of the network's `forward`: all views of one image, or a batch."""

    pixel_values: Tensor
    labels: Tensor


class ImageDataset(Dataset[TrainingSample]):
    """Images with their classes; each in `times` augmented views, or center-cropped without `view`."""

    def __init__(
        self,
        pictures: LabelledPictures,
        rows: Sequence[int],
        network: Network,
        *,
        view: View | None = None,
        times: int = 1,
        seed: int = 0,
    ) -> None:
        self.rows = [int(row) for row in rows]
        self.targets = pictures.targets
        self.gone: set[str] = set()
        self.epoch = 0  # part of the seed of each view
        self._pictures = pictures
        self._reader = pictures.reader
        self._size, self._mean, self._std = network.size, network.mean, network.std
        self._view = view
        self._times = times
        self._seed = seed
        self._cache: dict[int, Image.Image] = {}
        self._cache_room = ROOM

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> TrainingSample:
        row = self.rows[index]
        image = self._picture(row)
        views = [] if image is None else self._views(image, self._pictures.examples[row].content)
        shape = (0, 3, self._size, self._size)
        return {
            "pixel_values": torch.stack(views) if views else torch.empty(shape),
            "labels": torch.full((len(views),), int(self.targets[row]), dtype=torch.long),
        }

    def _views(self, image: Image.Image, content: str) -> list[Tensor]:
        if self._view is None:
            return [self._tensor(image_array.centre_crop(image, self._size))]
        return [
            self._tensor(self._view(image, self._size, self._random_state(content, number)))
            for number in range(self._times)
        ]

    def _random_state(self, content: str, number: int) -> random.Random:
        """Return the random state of one view: the same in every process and in a resumed run."""
        name = f"{self._seed}/{self.epoch}/{content}/{number}"
        return random.Random(hashlib.blake2b(name.encode(), digest_size=8).digest())  # noqa: S311

    def _tensor(self, image: Image.Image) -> Tensor:
        return image_array.to_tensor(image, self._mean, self._std)

    def _picture(self, row: int) -> Image.Image | None:
        """Return a decoded image; None if its file has disappeared or broken since the folders were read."""
        if row in self._cache:
            return self._cache[row]
        example = self._pictures.examples[row]
        image = image_array.load_image(self._reader.read(example.path), self._size)
        if isinstance(image, Refusal):
            self.gone.add(example.path)
            return None
        bytes_needed = image.width * image.height * 3
        if bytes_needed <= self._cache_room:
            self._cache_room -= bytes_needed
            self._cache[row] = image
        return image


def collate(samples: Sequence[TrainingSample]) -> dict[str, Tensor]:
    """Return one batch of the views of several images."""
    return {
        "pixel_values": torch.cat([sample["pixel_values"] for sample in samples]),
        "labels": torch.cat([sample["labels"] for sample in samples]),
    }
