"""Compute the input of the last layer for every image, once for each network and image, and cache it."""

from __future__ import annotations

import hashlib
import os
import random
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from harvest.default_callbacks import ignore_message
from harvest.errors import TrainingError
from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.features.feature_cache import FeatureCache
from harvest.training.inference.optimize_network import optimize_features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.labelled_pictures.load_pictures import Example, LabelledPictures
    from harvest.training.augment import ViewMaker
    from harvest.training.network.network_with_classes import Network

    FeatureRows = dict[str, NDArray[np.float32]]
    _Row = tuple[str, NDArray[np.float32]]

_ON_A_CORE = 8  # images per batch on a CPU: more do not fit into the cache of a core


@dataclass(frozen=True, slots=True)
class Features:
    """One row of features for each image; NaN where the file is missing or broken."""

    values: NDArray[np.float32]  # images × features
    views: NDArray[np.float32] | None = None  # images × views × features


class _ViewSettings(NamedTuple):
    """The views of an image: its center crop, or a number of augmented views drawn with `seed`."""

    size: int
    views: int = 0
    augmentation: ViewMaker | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """The suffix of the file name in the cache."""
        if not self.views:
            return ""
        description = f"{self.views} {self.augmentation!r} {self.seed}"
        return "-" + hashlib.sha256(description.encode()).hexdigest()[:16]

    def load(self, body: bytes | None, content: str) -> NDArray[np.uint8] | None:
        """Return the views of an image as bytes; None if it is missing, changed or broken."""
        if body is None or hashlib.sha256(body).hexdigest() != content:
            return None
        image = image_array.load_image(body, self.size)
        if isinstance(image, Refusal):
            return None
        if self.augmentation is None:
            return np.asarray(image_array.centre_crop(image, self.size))[None]
        generators = (random.Random(f"{self.seed}/{content}/{number}") for number in range(self.views))  # noqa: S311
        return np.stack([np.asarray(self.augmentation.view(image, self.size, each)) for each in generators])


def compute_features(
    network: Network,
    pictures: LabelledPictures,
    *,
    cache: Path,
    batch: int = 32,
    views: int = 0,
    augmentation: ViewMaker | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
    say: Callable[[str], None] = ignore_message,
) -> Features:
    """Return the features of all images, and of `views` augmented views of each."""
    settings = [_ViewSettings(network.size)]
    if views and augmentation is not None:
        settings.append(_ViewSettings(network.size, views, augmentation, seed))
    width, fingerprint = network.head.in_features, network.fingerprint
    workers = _FeatureWorkers(network, device or network.model.device, batch)
    found = []
    for setting in settings:
        shape = (setting.views, width) if setting.views else (width,)
        store = FeatureCache(cache / f"features-{fingerprint[:32]}{setting.name}.safetensors", shape)
        features = store.read()
        missing = {each.content: each for each in pictures.examples if each.content not in features}
        computed: FeatureRows = {}
        try:
            for content, row in workers.run(pictures, list(missing.values()), setting):
                computed[content] = row.reshape(shape)
                tick(len(computed), len(missing))
        finally:  # also when interrupted: computed features are saved
            if computed:
                store.add(computed, say=say)
        features |= computed
        missing_row = np.full(shape, np.nan, np.float32)
        found.append(np.stack([features.get(each.content, missing_row) for each in pictures.examples]))
        if not features:
            raise TrainingError("no image can be read: all files have disappeared since the folders were read.")
    if not np.isfinite(found[0]).any():
        raise TrainingError(f"{network.source} returns NaN for all images: its weights are damaged.")
    return Features(*found)


class _FeatureWorkers:
    """One worker per core, which decodes some images and runs the network on them.

    A network on several threads waits for the slowest one at every layer. On a busy machine, two workers of
    one thread each take half of its time.
    """

    def __init__(self, network: Network, device: torch.device, batch: int) -> None:
        self._network = network
        self._device = device
        self._batch = batch if device.type != "cpu" else min(batch, _ON_A_CORE)
        self._device_lock = nullcontext() if device.type == "cpu" else Lock()

    @cached_property
    def _features(self) -> Callable[[torch.Tensor], torch.Tensor]:
        return optimize_features(self._network, self._device)

    def run(self, pictures: LabelledPictures, examples: Sequence[Example], setting: _ViewSettings) -> Iterator[_Row]:
        """Yield the content of each image with the features of its views; missing files are skipped."""
        if not examples:
            return
        _ = self._features  # create it once, before the workers use it
        size = max(1, self._batch // max(1, setting.views))
        chunks = iter([examples[at : at + size] for at in range(0, len(examples), size)])
        with _pool(self._device) as pool:
            futures: deque[Future[list[_Row]]] = deque()
            while True:
                for chunk in islice(chunks, 2 * (os.cpu_count() or 1) - len(futures)):
                    futures.append(pool.submit(self._compute_chunk, pictures, chunk, setting))
                if not futures:
                    return
                yield from futures.popleft().result()

    def _compute_chunk(
        self, pictures: LabelledPictures, examples: Sequence[Example], setting: _ViewSettings
    ) -> list[_Row]:
        reader = pictures.reader
        loaded = [(each.content, setting.load(reader.read(each.path), each.content)) for each in examples]
        readable = [(content, levels) for content, levels in loaded if levels is not None]
        if not readable:
            return []
        levels = torch.from_numpy(np.concatenate([levels for _, levels in readable]))
        with self._device_lock:
            inputs = image_array.normalize(levels.to(self._device), self._network.mean, self._network.std)
            rows = self._features(inputs).cpu().numpy()
        return list(zip((content for content, _ in readable), rows.reshape(len(readable), -1), strict=True))


@contextmanager
def _pool(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Yield one thread per core; on a CPU, torch uses one thread in each."""
    workers, before = os.cpu_count() or 1, torch.get_num_threads()
    torch_threads = before if device.type != "cpu" else 1
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(torch_threads,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(before)
