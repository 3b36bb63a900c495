"""A network for other programs: model.onnx for any that runs ONNX, model.pt2 for torch without our code.

Both take pictures as bytes and give probabilities; `onnx_engine` says exactly what. What is written was run
before, on made-up pictures in batches of two sizes, and gave what the network gives.
"""

from __future__ import annotations

import io
import json
import logging
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from harvest.errors import TrainingError, UsageError
from harvest.files import disk
from harvest.training.inference.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.export import ExportedProgram

    from harvest.training.network.network import Network

KINDS = ("onnx", "pt2")
MOST = 1e-3  # of probability that an export may differ
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_LOUD = "torch.onnx._internal.exporter._registration"  # warns of torchvision, which nobody needs


def check_exports(kinds: Collection[str]) -> None:
    """Raise `UsageError` where an export needs what is not installed: before a training, not after it."""
    missing = [name for name in _NEEDED if "onnx" in kinds and find_spec(name) is None]
    if missing:
        raise UsageError(f"--export onnx needs {' and '.join(missing)}.", f"pip install {' '.join(_NEEDED)}")


def export_model(
    network: Network, run: Path, kinds: Collection[str], *, say: Callable[[str], None] | None = None
) -> dict[str, float]:
    """Write a network's exports into the run it was saved to; return by how much each differs from it."""
    check_exports(kinds)
    classifier = Classifier(network).to("cpu")
    pictures = _example_images(network.size)
    with torch.inference_mode():
        right = [classifier(picture) for picture in pictures]
    with _quiet():
        program = torch.export.export(
            classifier, (pictures[-1],), dynamic_shapes={"image": {0: torch.export.Dim("batch")}}
        )
    differences: dict[str, float] = {}
    for kind in sorted(kinds):
        with _quiet():
            data, run_it = _WRITE[kind](program, network, run)
            differences[kind] = max(
                float((run_it(picture) - answer).abs().max()) for picture, answer in zip(pictures, right, strict=True)
            )
        if not differences[kind] <= MOST:
            raise TrainingError(
                f"model.{kind} would differ from the network by {differences[kind]:.2g}: it was not written.",
                "Please report the model; the run itself is complete.",
            )
        disk.write_atomically(run / f"model.{kind}", data)
        if say is not None:
            say(f"model.{kind} written; it differs from the network by {differences[kind]:.1g} at most")
    return differences


Written = tuple[bytes, "Callable[[Tensor], Tensor]"]


def _onnx(program: ExportedProgram, network: Network, run: Path) -> Written:
    from harvest.training.inference import onnx_engine  # noqa: PLC0415 - an extra

    exported = torch.onnx.export(
        program,
        input_names=[onnx_engine.INPUT],
        output_names=[onnx_engine.OUTPUT],
        dynamo=True,
        verbose=False,
    )
    assert exported is not None
    exported.model.metadata_props[onnx_engine.LABELS] = json.dumps(network.labels)
    exported.model.metadata_props[onnx_engine.ORIGIN] = onnx_engine.origin(run) or ""
    try:
        data = exported.model_proto.SerializeToString()
    except ValueError as error:  # protobuf's limit
        raise TrainingError("model.onnx would be larger than 2 GB, which ONNX does not take.") from error
    engine = onnx_engine.OnnxEngine(data)
    return data, lambda picture: torch.from_numpy(engine(picture.numpy()))


def _pt2(program: ExportedProgram, network: Network, _run: Path) -> Written:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"labels.json": json.dumps(network.labels)})
    file.seek(0)
    module = torch.export.load(file).module()
    return file.getvalue(), lambda picture: module(picture).detach()


_WRITE: dict[str, Callable[[ExportedProgram, Network, Path], Written]] = {"onnx": _onnx, "pt2": _pt2}


def _example_images(size: int) -> list[Tensor]:
    """Return one picture, then three: an export may have taken a number of pictures for good."""
    dice = torch.Generator().manual_seed(0)
    return [torch.randint(256, (count, size, size, 3), dtype=torch.uint8, generator=dice) for count in (1, 3)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to ourselves what torch says to its developers while it exports."""
    log = logging.getLogger(_LOUD)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
