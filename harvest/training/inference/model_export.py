"""Export a network as model.onnx for any ONNX runtime, and as model.pt2 for torch without this package.

Both take images as bytes and return probabilities; `onnx_engine` describes the format, in which the similarities to the
training images follow. Before an export is written it is run on random images in batches of two sizes, and must agree
with the network.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch

from harvest.errors import TrainingError, UsageError
from harvest.files import disk
from harvest.training.inference.network_with_softmax import Classifier
from harvest.training.inference.reference_features import read_reference_features

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from torch import Tensor
    from torch.export import ExportedProgram

    from harvest.training.inference.reference_features import ReferenceFeatures
    from harvest.training.network.network_with_classes import Network

KINDS = ("onnx", "pt2")
MOST = 1e-3  # largest allowed difference of a probability
_BY_ONNX = ("onnx", "web")
_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_NOISY_LOGGER = "torch.onnx._internal.exporter._registration"  # warns that torchvision is missing, which is not needed


def check_exports(kinds: Collection[str]) -> None:
    """Raise UsageError if an export needs a package that is not installed: before the training, not after it."""
    asked = [kind for kind in kinds if kind in _BY_ONNX]
    missing = [name for name in _NEEDED if asked and find_spec(name) is None]
    if missing:
        raise UsageError(f"--export {asked[0]} needs {' and '.join(missing)}.", f"pip install {' '.join(_NEEDED)}")


def export_model(
    network: Network, run: Path, kinds: Collection[str], *, say: Callable[[str], None] | None = None
) -> dict[str, float]:
    """Write the exports of a network into its run; return the largest difference of each from the network."""
    check_exports(kinds)
    differences: dict[str, float] = {}
    for kind in sorted(kinds):
        data, differences[kind] = _export(network, run, kind)
        disk.write_atomically(run / f"model.{kind}", data)
        if say is not None:
            say(f"wrote model.{kind}; its probabilities differ from the network's by at most {differences[kind]:.1g}")
    return differences


def make_onnx(network: Network, run: Path) -> bytes:
    """Return the model.onnx of a network without writing it; one of the same weights that is there is used."""
    from harvest.training.inference import onnx_engine  # noqa: PLC0415 - an extra

    path = run / onnx_engine.FILE
    if path.is_file() and onnx_engine.OnnxEngine(path).origin == onnx_engine.origin(run):
        return path.read_bytes()
    return _export(network, run, "onnx")[0]


def _export(network: Network, run: Path, kind: str) -> tuple[bytes, float]:
    """Return an export, and its largest difference from the network; raise TrainingError if that is too large."""
    images = _example_images(network.size)
    references = read_reference_features(run, network.head.in_features) if kind == "onnx" else None
    own = replace(network, model=copy.deepcopy(network.model))  # the classifier takes it over
    classifier = Classifier(own, references).to("cpu")
    with torch.inference_mode():
        expected = [_first(classifier(image)) for image in images]
    with _silence_exporter():
        program = torch.export.export(
            classifier, (images[-1],), dynamic_shapes={"image": {0: torch.export.Dim("batch")}}
        )
        data, run_it = _WRITE[kind](program, network, run, references)
        difference = max(
            float((run_it(image) - answer).abs().max()) for image, answer in zip(images, expected, strict=True)
        )
    if not difference <= MOST:
        raise TrainingError(
            f"model.{kind} would differ from the network by {difference:.2g}, so it is not written.",
            "The run itself is complete. Please report the model.",
        )
    return data, difference


Written = tuple[bytes, "Callable[[Tensor], Tensor]"]


def _onnx(program: ExportedProgram, network: Network, run: Path, references: ReferenceFeatures | None) -> Written:
    from harvest.training.inference import onnx_engine  # noqa: PLC0415 - an extra

    exported = torch.onnx.export(
        program,
        input_names=[onnx_engine.INPUT],
        output_names=list(onnx_engine.OUTPUTS if references else onnx_engine.OUTPUTS[:1]),
        dynamo=True,
        verbose=False,
    )
    assert exported is not None
    exported.model.metadata_props[onnx_engine.LABELS] = json.dumps(network.labels)
    exported.model.metadata_props[onnx_engine.ORIGIN] = onnx_engine.origin(run) or ""
    exported.model.metadata_props.update(references.metadata() if references else {})
    try:
        data = exported.model_proto.SerializeToString()
    except ValueError as error:  # the limit of protobuf
        raise TrainingError("model.onnx would be larger than 2 GB, the limit of ONNX.") from error
    engine = onnx_engine.OnnxEngine(data)
    return data, lambda image: torch.from_numpy(engine(image.numpy()).probabilities)


def _pt2(program: ExportedProgram, network: Network, _run: Path, _references: ReferenceFeatures | None) -> Written:
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={"labels.json": json.dumps(network.labels)})
    file.seek(0)
    module = torch.export.load(file).module()
    return file.getvalue(), lambda image: module(image).detach()


_WRITE: dict[str, Callable[[ExportedProgram, Network, Path, ReferenceFeatures | None], Written]] = {
    "onnx": _onnx,
    "pt2": _pt2,
}


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _example_images(size: int) -> list[Tensor]:
    """Return batches of one and of three random images: an export may have fixed the batch size."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(256, (count, size, size, 3), dtype=torch.uint8, generator=generator) for count in (1, 3)]


@contextmanager
def _silence_exporter() -> Iterator[None]:
    """Silence the warnings of torch's exporter, which are meant for its developers."""
    log = logging.getLogger(_NOISY_LOGGER)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)
