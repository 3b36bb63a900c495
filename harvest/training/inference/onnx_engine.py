"""Run model.onnx, the network for programs without torch.

    image        uint8, (batch, size, size, 3): images as bytes, rows by columns by channels, red first
    probability  float32, (batch, classes): each row adds up to 1
    similarity   float32, (batch): mean cosine similarity to the nearest training images
    nearest      int64, (batch): the number of the nearest training image

Its metadata holds `labels`, a JSON list in the order of the columns, `images`, the names that `nearest` counts,
`quantiles`, the 101 percentiles of `similarity` among the right validation images, and `origin`, a hash of the files it
was exported from, so that an export of an earlier training is not used for a later one. A model without reference
features has only the first output.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from harvest.errors import TrainingError
from harvest.training.inference import onnx_file_check, reference_features
from harvest.training.inference.engine import EngineOutput
from harvest.training.training_options import LARGEST

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FILE, INPUT, LABELS, ORIGIN = "model.onnx", "image", "labels", "origin"
OUTPUTS = ("probability", "similarity", "nearest")
_SOURCES = ("model.safetensors", "config.json", "preprocessor_config.json")
_LEAST_MEMORY = 4 << 30  # bytes a network may use, also on a small machine
_FATAL = 4  # log nothing else: every error is raised too
# onnxruntime has no base class for its errors.
_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError,
    *(kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, Exception)),
)
_LOAD_ERRORS: tuple[type[Exception], ...] = (*_ERRORS, OSError, ValueError)


def origin(run: Path) -> str | None:
    """Return a hash of the files of a run that an export is made of; None if one is missing."""
    digest = hashlib.sha256()
    try:
        for name in _SOURCES:
            if not (run / name).is_file():  # reading a pipe would block
                return None
            with (run / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        if (run / reference_features.FILE).is_file():
            with (run / reference_features.FILE).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return digest.hexdigest()


class OnnxEngine:
    """Runs a model.onnx, given as its path or as its bytes."""

    name = "onnx"

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _FATAL
        # Threads that spin between two images take the cores from decoding: 128 files 3.5 s against 2.9.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Limit the memory of the network: `ConstantOfShape` alone makes a tensor of any size from a file of
        # 200 bytes.
        _limit_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
        source = model if isinstance(model, bytes) else str(model)
        self._model = model
        try:
            onnx_file_check.check(model)
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except _LOAD_ERRORS as error:
            raise _unusable(model, str(error).rpartition(" : ")[2]) from error
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        self.origin = metadata.get(ORIGIN)
        self.labels = _labels(metadata.get(LABELS, ""))
        self.images, self.quantiles = reference_features.parse_metadata(metadata)
        self.size = self._side()
        if not self.labels or not self.size:
            raise _unusable(model, "it was not exported by harvest")

    def __call__(self, views: NDArray[np.uint8]) -> EngineOutput:
        """Return the output for a batch of views."""
        try:
            return EngineOutput(*self._session.run(None, {INPUT: views}))
        except _ERRORS as error:
            name = FILE if isinstance(self._model, bytes) else self._model
            raise TrainingError(
                f"{name} cannot be run: {str(error).partition(chr(10))[0]:.300}",
                "It may need more memory than the machine has. Delete it to use model.safetensors instead.",
            ) from error

    def _side(self) -> int:
        """Return the side of its input images; 0 if its inputs or outputs are not those of an export."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or not _are_outputs(outputs, classes=len(self.labels)):
            return 0
        match inputs[0].name, inputs[0].type, inputs[0].shape:
            case "image", "tensor(uint8)", [_, int(side), int(other), 3]:
                return side if side == other <= LARGEST else 0
        return 0


def _are_outputs(outputs: Sequence[Any], *, classes: int) -> bool:
    """Return whether the outputs are those of an export: the probabilities, with or without the similarities."""
    found = tuple(each.name for each in outputs)
    if found not in (OUTPUTS[:1], OUTPUTS) or outputs[0].shape[1:] != [classes]:
        return False
    kinds = ["tensor(float)", "tensor(float)", "tensor(int64)"]
    return all(
        each.type == kind and (number == 0 or len(each.shape) == 1)
        for number, (each, kind) in enumerate(zip(outputs, kinds, strict=False))
    )


@cache
def _limit_memory() -> None:
    """Let all networks of this process share one allocator, limited to half of the memory."""
    try:
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        half = _LEAST_MEMORY
    kind, memory = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    arena = onnxruntime.OrtArenaCfg(max(half, _LEAST_MEMORY), -1, -1, -1)
    onnxruntime.create_and_register_allocator(onnxruntime.OrtMemoryInfo("Cpu", kind, 0, memory), arena)


def _labels(text: str) -> tuple[str, ...]:
    try:
        labels: Any = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(labels) if isinstance(labels, list) and all(isinstance(label, str) for label in labels) else ()


def _unusable(model: Path | bytes, why: str) -> TrainingError:
    name = FILE if isinstance(model, bytes) else model
    return TrainingError(
        f"{name} cannot be used: {why}", "Export it again, or delete it to use model.safetensors instead."
    )
