"""The pictures of one part as the network is shown them; those for training look new every epoch."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, TypedDict

import torch
from torch.utils.data import Dataset

from harvest.models import Refusal
from harvest.training import image_array

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from PIL import Image
    from torch import Tensor

    from harvest.training.network.network import Network
    from harvest.training.pictures.labelled_pictures import LabelledPictures

    View = Callable[[Image.Image, int, random.Random], Image.Image]

ROOM = 512 << 20  # bytes of decoded pictures that are kept: decoding again costs as much as a small network


class TrainingSample(TypedDict):
    """What the network's `forward` takes: one picture in all its views, or a batch of them."""

    pixel_values: Tensor
    labels: Tensor


class ImageDataset(Dataset[TrainingSample]):
    """Pictures with their classes; each comes in `times` views, or as it is where there is no `view`."""

    def __init__(
        self,
        album: LabelledPictures,
        rows: Sequence[int],
        network: Network,
        *,
        view: View | None = None,
        times: int = 1,
        seed: int = 0,
    ) -> None:
        self.rows = [int(row) for row in rows]
        self.targets = album.targets
        self.gone: set[str] = set()
        self.epoch = 0  # a view is told from its picture, its number, the seed and this
        self._album = album
        self._size, self._mean, self._std = network.size, network.mean, network.std
        self._view = view
        self._times = times
        self._seed = seed
        self._kept: dict[int, Image.Image] = {}
        self._room = ROOM

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> TrainingSample:
        row = self.rows[place]
        image = self._picture(row)
        views = [] if image is None else self._views(image, self._album.examples[row].content)
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
        """Return the chances of one view: the same in any process, and after a run was resumed."""
        name = f"{self._seed}/{self.epoch}/{content}/{number}"
        return random.Random(hashlib.blake2b(name.encode(), digest_size=8).digest())  # noqa: S311

    def _tensor(self, image: Image.Image) -> Tensor:
        return image_array.to_tensor(image, self._mean, self._std)

    def _picture(self, row: int) -> Image.Image | None:
        """Return a decoded picture; None when its file went away or broke since the folders were read."""
        if row in self._kept:
            return self._kept[row]
        example = self._album.examples[row]
        image = image_array.load_image(self._album.file(example), self._size)
        if isinstance(image, Refusal):
            self.gone.add(example.path)
            return None
        taken = image.width * image.height * 3
        if taken <= self._room:
            self._room -= taken
            self._kept[row] = image
        return image


def collate(lessons: Sequence[TrainingSample]) -> dict[str, Tensor]:
    """Make one batch of several pictures' views."""
    return {
        "pixel_values": torch.cat([lesson["pixel_values"] for lesson in lessons]),
        "labels": torch.cat([lesson["labels"] for lesson in lessons]),
    }
