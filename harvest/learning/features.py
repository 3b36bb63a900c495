"""What the last layer sees of every picture: computed once for each network and picture, then kept."""

from __future__ import annotations

import hashlib
import os
import random
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from harvest.errors import TrainingError
from harvest.learning import pixels
from harvest.learning.folding import swift
from harvest.learning.store import Store
from harvest.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from harvest.learning.album import Album, Example
    from harvest.learning.augment import Views
    from harvest.learning.network import Network

    Made = dict[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Features:
    """One row for each example of an album; rows of pictures that went away meanwhile are not numbers."""

    values: NDArray[np.float32]  # pictures × features
    views: NDArray[np.float32] | None = None  # pictures × views × features


class _Way(NamedTuple):
    """How a picture is looked at: as it is, or in so many views that are drawn by `seed`."""

    size: int
    views: int = 0
    augmentation: Views | None = None
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
        image = pixels.see(body, self.size)
        if isinstance(image, Refusal):
            return None
        if self.augmentation is None:
            return np.asarray(pixels.crop(image, self.size))[None]
        dice = (random.Random(f"{self.seed}/{content}/{number}") for number in range(self.views))  # noqa: S311
        return np.stack([np.asarray(self.augmentation.view(image, self.size, each)) for each in dice])


def compute(
    network: Network,
    album: Album,
    *,
    cache: Path,
    batch: int = 32,
    views: int = 0,
    augmentation: Views | None = None,
    seed: int = 0,
    device: torch.device | None = None,
    tick: Callable[[int, int], None] = lambda _done, _total: None,
    say: Callable[[str], None] = lambda _: None,
) -> Features:
    """Return the features of all pictures, and of `views` augmented views of each."""
    ways = [_Way(network.size)]
    if views and augmentation is not None:
        ways.append(_Way(network.size, views, augmentation, seed))
    width, fingerprint = network.head.in_features, network.fingerprint
    machine = _Machine(network, device, batch)
    found = []
    for way in ways:
        shape = (way.views, width) if way.views else (width,)
        store = Store(cache / f"features-{fingerprint[:32]}{way.name}.safetensors", shape)
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
    if not np.isfinite(found[0]).any():
        raise TrainingError(f"{network.source} makes no numbers of these pictures: its weights are broken.")
    return Features(*found)


class _Machine:
    """Decodes in threads while the network works."""

    def __init__(self, network: Network, device: torch.device | None, batch: int) -> None:
        self._network = network
        self._device = device
        self._batch = batch

    @cached_property
    def _features(self) -> Callable[[torch.Tensor], torch.Tensor]:
        return swift(self._network, self._device)

    def run(
        self, album: Album, examples: list[Example], way: _Way
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield each picture's content and its features, view by view; none for one that went away."""
        waiting: list[tuple[str, NDArray[np.uint8]]] = []
        each = max(1, self._batch // max(1, way.views))  # pictures at a time
        for content, levels in self._decoded(album, examples, way):
            if levels is not None:
                waiting.append((content, levels))
            if len(waiting) == each:
                yield from self._answers(waiting)
                waiting = []
        if waiting:
            yield from self._answers(waiting)

    def _decoded(
        self, album: Album, examples: list[Example], way: _Way
    ) -> Iterator[tuple[str, NDArray[np.uint8] | None]]:
        """Decode in the given order, two batches ahead."""
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            rest = iter(examples)
            ahead: deque[tuple[str, Future[NDArray[np.uint8] | None]]] = deque()
            try:
                while True:
                    for example in islice(rest, 2 * self._batch - len(ahead)):
                        task = pool.submit(way.of, album.file(example), example.content)
                        ahead.append((example.content, task))
                    if not ahead:
                        return
                    content, task = ahead.popleft()
                    yield content, task.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _answers(
        self, waiting: list[tuple[str, NDArray[np.uint8]]]
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        levels = torch.from_numpy(np.concatenate([each for _, each in waiting]))
        shown = pixels.numbers(levels.to(self._device), self._network.mean, self._network.std)
        rows = self._features(shown).cpu().numpy()
        yield from zip((content for content, _ in waiting), rows.reshape(len(waiting), -1), strict=True)
