"""The newest training run next to a dataset, as the review page uses it."""

from __future__ import annotations

import multiprocessing
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from harvest.errors import UsageError, name_missing_packages
from harvest.labelled_pictures.prediction_table import order_by_loss, read_newest_predictions
from harvest.open_review.feature_process import DONE, FAILED, compute_features
from harvest.review.model_results import FeatureComputation, ModelPrediction
from harvest.training.choose_run_directory import newest_run
from harvest.training.features.similarity_orders import SimilarityOrders

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from harvest.review.model_results import ImageWithoutFeatures

    Features = Mapping[str, NDArray[np.float32]]

_PACKAGES = ("torch", "transformers", "safetensors")
_MOST_ORDERS = 4  # that are remembered: going back to an order is immediate while nothing was decided
_STOPPED = "the computation was stopped"


class NewestRun:
    """Reads the predictions and features of the newest run again when a training has written new ones."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._runs = root.with_name(f"{root.name}.runs")
        self._stamp: tuple[object, ...] = ()
        self._features: Features = {}
        self._orders: dict[tuple[str, str, int], list[str]] = {}
        self._process: BaseProcess | None = None
        self.run = ""
        self.predictions: Mapping[str, ModelPrediction] = {}
        self.computation = FeatureComputation()
        self.refresh()

    @property
    def with_features(self) -> Collection[str]:
        """The images whose features are known."""
        return self._features.keys()

    def refresh(self) -> None:
        """Read the run again if its files have changed."""
        stamp = tuple(sorted(self._list_files()))
        if stamp == self._stamp:
            return
        run = newest_run(self._runs)
        predictions = {
            each.content: ModelPrediction(each.predicted, each.p_predicted, each.loss)
            for each in order_by_loss(read_newest_predictions(self._runs).values())
        }
        self._features = _read_features(self._runs / "cache")
        self._orders = {}
        self.run, self.predictions, self._stamp = run.name if run else "", predictions, stamp

    def _list_files(self) -> list[tuple[str, int]]:
        """Return the files of the runs that are read, with their times."""
        found = []
        for pattern in ("*/predictions.csv", "*/config.json", "cache/features-*.safetensors"):
            with suppress(OSError):
                found += [(str(path), path.stat().st_mtime_ns) for path in self._runs.glob(pattern)]
        return found

    def order_images(self, order: str, labels: Mapping[str, str], like: str = "") -> list[str]:
        """Return the images of `labels` in an order, those without a prediction or features left out."""
        key = (order, like, hash(frozenset(labels.items())))
        if key not in self._orders:
            if len(self._orders) >= _MOST_ORDERS:
                self._orders.pop(next(iter(self._orders)))
            self._orders[key] = self._compute_order(order, labels, like)
        return self._orders[key]

    def _compute_order(self, order: str, labels: Mapping[str, str], like: str) -> list[str]:
        if order == "loss":
            return [content for content in self.predictions if content in labels]  # read in this order
        orders = SimilarityOrders(self._features, labels)
        if order == "similar":
            return orders.list_similar(like)
        return orders.list_odd_ones() if order == "odd" else orders.list_like_another_class()

    def compute_features(self, images: Sequence[ImageWithoutFeatures]) -> None:
        """Compute the features of images with the network of the run, in another process."""
        if self.computation.is_running:
            return
        if missing := [name for name in _PACKAGES if find_spec(name) is None]:
            raise UsageError(
                f"This needs {name_missing_packages(missing)}.",
                "Install it in the terminal: pip install 'classharvest[train]'",
            )
        run = newest_run(self._runs)
        if run is None:
            raise UsageError("There is no training run to compute features with.", "Start one: harvest train")
        context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks, and the open ledger
        reader, writer = context.Pipe(duplex=False)
        files = [(f"{each.class_name}/{each.name}", each.class_name, each.content) for each in images]
        self._process = context.Process(
            target=compute_features, args=(run, self._root, self._runs / "cache", files, writer), daemon=True
        )
        self.computation = FeatureComputation(is_running=True, total=len(images))
        self._process.start()
        writer.close()  # so that the end of the process is the end of the pipe
        threading.Thread(target=self._follow, args=(reader,), name="features", daemon=True).start()

    def _follow(self, reader: Connection) -> None:
        """Read the progress of the process until it ends."""
        error = _STOPPED
        with suppress(EOFError, OSError):
            while True:
                done, total, problem = reader.recv()
                if done in (DONE, FAILED):
                    error = problem
                    break
                self.computation = FeatureComputation(is_running=True, done=done, total=total)
        if self._process is not None:
            self._process.join()
        self.computation = FeatureComputation(error=error)

    def close(self) -> None:
        """Stop the computation; what it has saved is used by the next one."""
        if self._process is not None and self._process.is_alive():
            self._process.terminate()


def _read_features(folder: Path) -> Features:
    if find_spec("safetensors") is None:
        return {}
    from harvest.training.features.feature_cache import read_newest_features  # noqa: PLC0415 - needs safetensors

    return read_newest_features(folder)
