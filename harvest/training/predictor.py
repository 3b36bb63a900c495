"""Predict the labels of images with a trained network."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar, overload

import numpy as np

from harvest import images
from harvest.contain_unexpected_errors import refuse_unexpected
from harvest.default_callbacks import ignore_message
from harvest.errors import TrainingError, UsageError
from harvest.models import Refusal
from harvest.training import image_array
from harvest.training.choose_run_directory import newest_run
from harvest.training.inference.reference_features import ACCEPT
from harvest.training.prediction_views import make_views, may_mirror
from harvest.training.saliency.heat_image import draw_heat
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from PIL import Image

    from harvest.training.inference.engine import Engine
    from harvest.training.inference.torch_engine import TorchEngine

P = TypeVar("P", bytes, str, Path)

BATCH = 32  # images in one batch of the network
MOST = 200 << 20  # bytes of an image file: larger ones are not read
_NAME_IT = "Name the run directory that the training printed."
_CONFIG, _ONNX = "config.json", "model.onnx"


class LabelProbability(NamedTuple):
    """A label and its probability."""

    label: str
    probability: float


class Scores(NamedTuple):
    """What the network returns for one image."""

    probabilities: NDArray[np.float32]
    similarity: float | None = None
    nearest: int | None = None


@dataclass(frozen=True, slots=True)
class Classification(Sequence[LabelProbability]):
    """The labels of an image, the most probable first, and whether it is like the training images at all."""

    ranked: tuple[LabelProbability, ...]
    is_known: bool = True  # False: it is none of the classes, whatever their probabilities
    similarity: float | None = None  # to the nearest training images; None for a run without their features
    nearest: str = ""  # class and file of the nearest training image

    @overload
    def __getitem__(self, index: int) -> LabelProbability: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[LabelProbability, ...]: ...

    def __getitem__(self, index: int | slice) -> LabelProbability | tuple[LabelProbability, ...]:
        return self.ranked[index]

    def __len__(self) -> int:
        return len(self.ranked)

    def as_json(self) -> dict[str, object]:
        """Return the answer of `predict --json` and of the HTTP API."""
        answer: dict[str, object] = {"ranked": [guess._asdict() for guess in self.ranked]}
        if self.similarity is not None:
            answer |= {"known": self.is_known, "similarity": round(self.similarity, 4), "nearest": self.nearest}
        return answer


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """Where in an image the network sees a label."""

    label: str
    probability: float
    view: NDArray[np.uint8]  # the middle of the image, as the network sees it
    heat: NDArray[np.float32]  # of each of its pixels, from 0 to 1

    def draw(self) -> Image.Image:
        """Return the view with the heat over it."""
        return draw_heat(self.view, self.heat)


class Predictor:
    """Predicts the labels of images; can be used by several threads.

    >>> predictor = Predictor.open("snakes.runs/first")  # doctest: +SKIP
    >>> predictor.predict(["unknown.jpg"])  # doctest: +SKIP
    [Classification(ranked=(LabelProbability(label='coral_snake', probability=0.973), ...), is_known=True, ...)]
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        *,
        accept: float = ACCEPT,
        tta: bool = False,
        mirror: bool = True,
        run: Path | None = None,
    ) -> None:
        self.name = name
        self.engine = engine.name
        self.labels = engine.labels
        self.size = engine.size
        self._engine = engine
        self._tta, self._mirror = tta, mirror
        self._run = run
        self._network: TorchEngine | None = None  # that explains; opened when it is needed
        self._opening = Lock()
        self._threshold = engine.quantiles.threshold(accept) if engine.quantiles else -math.inf

    @classmethod
    def open(
        cls,
        run: Path | str,
        *,
        accept: float = ACCEPT,
        prefer_onnx: bool = True,
        tta: bool = False,
        say: Callable[[str], None] | None = None,
    ) -> Self:
        """Open a run directory; model.onnx is preferred if it exists and onnxruntime is installed.

        `accept` is the share of right images that are to count as known: 0.99 accepts more, and 1 everything.
        `tta` averages the probabilities of ten views of each image in `predict` and `each`, in ten times the time.
        """
        run = Path(run)
        _check(run)
        engine = _onnx(run, say or ignore_message) if prefer_onnx else None
        mirror = may_mirror(run) if tta else True
        return cls(_name(run), engine or _torch(run), accept=accept, tta=tta, mirror=mirror, run=run)

    @refuse_unexpected
    def prepare(self, picture: bytes | Path) -> NDArray[np.uint8] | Refusal:
        """Return an image as the input of the network, or a refusal with the reason."""
        image = image_array.load_image(picture, self.size)
        return image if isinstance(image, Refusal) else np.asarray(image_array.centre_crop(image, self.size))

    @refuse_unexpected
    def prepare_views(self, picture: bytes | Path) -> NDArray[np.uint8] | Refusal:
        """Return the views of an image for test-time augmentation, the one of `prepare` first, or a refusal."""
        image = image_array.load_image(picture, self.size)
        return image if isinstance(image, Refusal) else make_views(image, self.size, mirror=self._mirror)

    def predict_views(self, views: NDArray[np.uint8]) -> Scores:
        """Return the mean probabilities of the views of one image; its similarity is that of the first view."""
        scores = self.predict_batch(list(views))
        return scores[0]._replace(probabilities=np.mean([each.probabilities for each in scores], axis=0))

    def predict_batch(self, views: Sequence[NDArray[np.uint8]]) -> list[Scores]:
        """Return the scores of each view; probabilities are in the order of `labels`."""
        output = self._engine(np.stack(views))
        if not np.isfinite(output.probabilities).all():
            raise TrainingError(f"{self.name} returns NaN: its weights are damaged.")
        if output.similarities is None or output.nearest is None:
            return [Scores(row) for row in output.probabilities]
        rest = output.similarities.tolist(), output.nearest.tolist()
        return [Scores(*scores) for scores in zip(output.probabilities, *rest, strict=True)]

    def _predict_each(self, images: Sequence[NDArray[np.uint8]]) -> list[Scores]:
        return [self.predict_views(views) for views in images]

    def rank(self, scores: Scores, top: int | None = None) -> Classification:
        """Return the labels, the most probable first, and whether the image is known."""
        best = np.argsort(-scores.probabilities, kind="stable")[:top]
        ranked = tuple(LabelProbability(self.labels[number], float(scores.probabilities[number])) for number in best)
        if scores.similarity is None or scores.nearest is None:
            return Classification(ranked)
        images = self._engine.images
        nearest = images[scores.nearest] if 0 <= scores.nearest < len(images) else ""
        return Classification(ranked, scores.similarity >= self._threshold, scores.similarity, nearest)

    @property
    def can_explain(self) -> bool:
        """Whether the run has weights for PyTorch and PyTorch is installed: model.onnx has no gradients."""
        has_torch = all(find_spec(name) is not None for name in ("torch", "transformers"))
        return has_torch and self._run is not None and (self._run / _CONFIG).is_file()

    def explain(self, picture: bytes | str | Path) -> Explanation | Refusal:
        """Return where in an image the network sees its most probable label, or a refusal with the reason.

        Raise UsageError where `can_explain` is false.
        """
        self.check_can_explain()
        view = self._decode(picture, self.prepare)
        return view if isinstance(view, Refusal) else self.explain_view(view)

    def explain_view(self, view: NDArray[np.uint8]) -> Explanation:
        """Return where in a view of `prepare` the network sees its most probable label."""
        self.check_can_explain()
        with self._opening:
            if self._network is None:
                assert self._run is not None
                self._network = _torch(self._run)
        (scores,) = self.predict_batch([view])
        best = int(scores.probabilities.argmax())
        heat = self._network.explain(view, best)
        return Explanation(self.labels[best], float(scores.probabilities[best]), view, heat)

    def check_can_explain(self) -> None:
        """Raise UsageError if the network cannot be explained."""
        if not self.can_explain:
            raise UsageError(
                f"{self.name} cannot be explained: that needs PyTorch and the whole run, not model.onnx alone.",
                "Install PyTorch (pip install 'classharvest[train]'), and name the directory that the training wrote.",
            )

    def predict(self, pictures: Iterable[P], top: int | None = None) -> list[Classification | Refusal]:
        """Return the labels of each image, the most probable first, or a refusal with the reason."""
        return [end for _, end in self.each(pictures, top)]

    def each(self, pictures: Iterable[P], top: int | None = None) -> Iterator[tuple[P, Classification | Refusal]]:
        """Yield each image with what `predict` returns for it; memory stays flat for any number of images."""
        threads = ThreadPoolExecutor(os.cpu_count() or 2, thread_name_prefix="decode")
        prepare = self.prepare_views if self._tta else self.prepare
        remaining = iter(pictures)
        ready: list[tuple[P, Future[NDArray[np.uint8] | Refusal]]] = []
        try:
            while True:  # decode the next batch while the network predicts this one
                following = [(one, threads.submit(self._decode, one, prepare)) for one in islice(remaining, BATCH)]
                yield from self._finish_batch(ready, top)
                if not following:
                    return
                ready = following
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _decode(
        self, picture: bytes | str | Path, prepare: Callable[[bytes], NDArray[np.uint8] | Refusal]
    ) -> NDArray[np.uint8] | Refusal:
        try:
            body = picture if isinstance(picture, bytes) else _read(Path(picture))
        except (OSError, ValueError) as error:
            return Refusal(Verdict.BROKEN_IMAGE, getattr(error, "strerror", None) or str(error))
        if len(body) > MOST:
            return Refusal(Verdict.TOO_BIG, f"more than {MOST >> 20} MB")
        with images.limit_large_decodes(images.memory_needed(body)):
            return prepare(body)

    def _finish_batch(
        self, ready: Sequence[tuple[P, Future[NDArray[np.uint8] | Refusal]]], top: int | None
    ) -> Iterator[tuple[P, Classification | Refusal]]:
        decoded = [(picture, view.result()) for picture, view in ready]
        views = [view for _, view in decoded if not isinstance(view, Refusal)]
        predict = self._predict_each if self._tta else self.predict_batch
        rows = iter(predict(views) if views else ())
        for picture, view in decoded:
            yield picture, view if isinstance(view, Refusal) else self.rank(next(rows), top)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST + 1)


def _check(run: Path) -> None:
    """Raise UsageError if the folder is not a run, and suggest one."""
    if (run / _ONNX).is_file() or (run / _CONFIG).is_file():
        return
    if not run.is_dir():
        raise UsageError(f"there is no run at {run}.", _NAME_IT)
    newest = newest_run(run)
    raise UsageError(f"{run} is not a run: it has no {_CONFIG}.", f"Did you mean {newest}?" if newest else _NAME_IT)


def _name(run: Path) -> str:
    """Return the name of a run, with that of its tree if it is next to one: snakes/2026-11-21_09-12-44."""
    run = run.absolute()
    tree = run.parent.name.removesuffix(".runs")
    return f"{tree}/{run.name}" if tree != run.parent.name else run.name


def _onnx(run: Path, say: Callable[[str], None]) -> Engine | None:
    if not (run / _ONNX).is_file() or find_spec("onnxruntime") is None:
        return None
    from harvest.training.inference.onnx_engine import OnnxEngine, origin  # noqa: PLC0415 - an extra

    engine, of = OnnxEngine(run / _ONNX), origin(run)
    if of is not None and engine.origin != of:
        say(f"{run / _ONNX} is not used: it was exported from other weights, labels or sizes")
        return None
    return engine


def _torch(run: Path) -> TorchEngine:
    # Takes two seconds to import, which model.onnx does not need.
    from harvest.training.inference.torch_engine import TorchEngine  # noqa: PLC0415

    return TorchEngine(run)
