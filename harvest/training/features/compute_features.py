"""What the last layer sees of every picture: computed once for each network and picture, then kept."""

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

from harvest.callbacks import ignore_message
from harvest.errors import TrainingError
from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.features.feature_cache import FeatureCache
from harvest.training.inference.optimized import optimize_features

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.training.network.network import Network
    from harvest.training.pictures.labelled_pictures import Example, LabelledPictures
    from harvest.training.view_maker import ViewMaker

    Made = dict[str, NDArray[np.float32]]
    _Row = tuple[str, NDArray[np.float32]]

_ON_A_CORE = 8  # pictures at a time: more of them no longer fit a core's cache


@dataclass(frozen=True, slots=True)
class Features:
    """One row for each example of an album; rows of pictures that went away meanwhile are not numbers."""

    values: NDArray[np.float32]  # pictures × features
    views: NDArray[np.float32] | None = None  # pictures × views × features


class _ViewSettings(NamedTuple):
    """How a picture is looked at: as it is, or in so many views that are drawn by `seed`."""

    size: int
    views: int = 0
    augmentation: ViewMaker | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """What distinguishes it in the name of a file."""
        if not self.views:
            return ""
        said = f"{self.views} {self.augmentation!r} {self.seed}"
        return "-" + hashlib.sha256(said.encode()).hexdigest()[:16]

    def of(self, path: Path, content: str) -> NDArray[np.uint8] | None:
        """Return a picture's levels, view by view; None when it is no longer the one that was gathered."""
        try:
            body = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(body).hexdigest() != content:
            return None
        image = image_array.load_image(body, self.size)
        if isinstance(image, Refusal):
            return None
        if self.augmentation is None:
            return np.asarray(image_array.centre_crop(image, self.size))[None]
        dice = (random.Random(f"{self.seed}/{content}/{number}") for number in range(self.views))  # noqa: S311
        return np.stack([np.asarray(self.augmentation.view(image, self.size, each)) for each in dice])


def compute_features(
    network: Network,
    album: LabelledPictures,
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
    """Return the features of all pictures, and of `views` augmented views of each."""
    ways = [_ViewSettings(network.size)]
    if views and augmentation is not None:
        ways.append(_ViewSettings(network.size, views, augmentation, seed))
    width, fingerprint = network.head.in_features, network.fingerprint
    machine = _FeatureWorkers(network, device or network.model.device, batch)
    found = []
    for way in ways:
        shape = (way.views, width) if way.views else (width,)
        store = FeatureCache(cache / f"features-{fingerprint[:32]}{way.name}.safetensors", shape)
        known = store.read()
        missing = {each.content: each for each in album.examples if each.content not in known}
        made: Made = {}
        try:
            for content, row in machine.run(album, list(missing.values()), way):
                made[content] = row.reshape(shape)
                tick(len(made), len(missing))
        finally:  # also when stopped: what is done is done
            if made:
                store.add(made, say=say)
        known |= made
        gone = np.full(shape, np.nan, np.float32)
        found.append(np.stack([known.get(each.content, gone) for each in album.examples]))
        if not known:
            raise TrainingError("not one picture can be read any more: they went away since the folders were.")
    if not np.isfinite(found[0]).any():
        raise TrainingError(f"{network.source} makes no numbers of these pictures: its weights are broken.")
    return Features(*found)


class _FeatureWorkers:
    """As many workers as there are cores; each decodes some pictures and asks the network about them.

    A network of several threads waits for its slowest one at every layer. On a machine that others use too,
    two workers of one thread each take half of its time.
    """

    def __init__(self, network: Network, device: torch.device, batch: int) -> None:
        self._network = network
        self._device = device
        self._each = batch if device.type != "cpu" else min(batch, _ON_A_CORE)
        self._turn = nullcontext() if device.type == "cpu" else Lock()

    @cached_property
    def _features(self) -> Callable[[torch.Tensor], torch.Tensor]:
        return optimize_features(self._network, self._device)

    def run(self, album: LabelledPictures, examples: Sequence[Example], way: _ViewSettings) -> Iterator[_Row]:
        """Yield each picture's content and its features, view by view; none for one that went away."""
        if not examples:
            return
        _ = self._features  # made once, before workers ask for it
        size = max(1, self._each // max(1, way.views))
        rest = iter([examples[at : at + size] for at in range(0, len(examples), size)])
        with _pool(self._device) as pool:
            ahead: deque[Future[list[_Row]]] = deque()
            while True:
                for some in islice(rest, 2 * (os.cpu_count() or 1) - len(ahead)):
                    ahead.append(pool.submit(self._answers, album, some, way))
                if not ahead:
                    return
                yield from ahead.popleft().result()

    def _answers(self, album: LabelledPictures, examples: Sequence[Example], way: _ViewSettings) -> list[_Row]:
        seen = [(each.content, way.of(album.file(each), each.content)) for each in examples]
        shown = [(content, levels) for content, levels in seen if levels is not None]
        if not shown:
            return []
        levels = torch.from_numpy(np.concatenate([levels for _, levels in shown]))
        with self._turn:
            given = image_array.normalize(levels.to(self._device), self._network.mean, self._network.std)
            rows = self._features(given).cpu().numpy()
        return list(zip((content for content, _ in shown), rows.reshape(len(shown), -1), strict=True))


@contextmanager
def _pool(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Give as many threads as there are cores; on a CPU, each does its sums by itself."""
    workers, before = os.cpu_count() or 1, torch.get_num_threads()
    sums = before if device.type != "cpu" else 1
    pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(sums,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(before)
