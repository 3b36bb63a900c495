"""Compute the features of images in a process of its own: PyTorch uses every core, and the page must stay quick."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

FAILED, DONE = -1, -2
_AT_ONCE = 2048  # images after which the features are saved; all of them are written again each time
_NICE = 10  # the page, the thumbnails and the browser come first


def compute_features(
    run: Path, root: Path, cache: Path, files: Sequence[tuple[str, str, str]], progress: Connection
) -> None:
    """Add the features of files, each a path, a class and a content hash, to the cache of the network of a run.

    Sends how many are done and how many there are; DONE, or FAILED with the reason, ends it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the review, which ends this process
    with suppress(AttributeError, OSError):
        os.nice(_NICE)
    try:
        _compute(run, root, cache, files, progress)
    except Exception as error:  # noqa: BLE001 - whatever it is, the page shows it
        with suppress(OSError):
            progress.send((FAILED, 0, getattr(error, "message", "") or f"{type(error).__name__}: {error}"))


def _send_progress(progress: Connection, start: int, total: int, done: int, _: int) -> None:
    """Send the progress within a part of the images, which begins at `start`."""
    progress.send((start + done, total, ""))


def _compute(run: Path, root: Path, cache: Path, files: Sequence[tuple[str, str, str]], progress: Connection) -> None:
    from harvest.labelled_pictures.load_pictures import Example, LabelledPictures  # noqa: PLC0415 - in the process only
    from harvest.labelled_pictures.shard_images import find_in_shards  # noqa: PLC0415 - as above
    from harvest.training.features import compute_features  # noqa: PLC0415 - loads PyTorch
    from harvest.training.network.network_with_classes import open_trained_network  # noqa: PLC0415 - loads PyTorch

    network = open_trained_network(run)
    in_shards = find_in_shards(root)
    examples = [Example(path, label, content) for path, label, content in files]
    problems: list[str] = []
    for start in range(0, len(examples), _AT_ONCE):
        some = tuple(examples[start : start + _AT_ONCE])
        compute_features.compute_features(
            network,
            LabelledPictures(root, some, tuple(sorted({each.label for each in some})), in_shards=in_shards),
            cache=cache,
            tick=partial(_send_progress, progress, start, len(examples)),
            say=problems.append,
        )
        if problems:
            progress.send((FAILED, 0, problems[0]))
            return
    progress.send((DONE, 0, ""))
