"""Run model.onnx, the network for programs without torch.

    image        uint8, (batch, size, size, 3): images as bytes, rows by columns by channels, red first
    probability  float32, (batch, classes): each row adds up to 1

Its metadata holds `labels`, a JSON list in the order of the columns, and `origin`, a hash of the files it was
exported from, so that an export of an earlier training is not used for a later one.
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
from harvest.training.inference import onnx_file_check
from harvest.training.training_options import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

FILE, INPUT, OUTPUT, LABELS, ORIGIN = "model.onnx", "image", "probability", "labels", "origin"
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
        self.size = self._side()
        if not self.labels or not self.size:
            raise _unusable(model, "it was not exported by harvest")

    def __call__(self, views: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return a row of probabilities for each view."""
        try:
            rows: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: views})[0]
        except _ERRORS as error:
            name = FILE if isinstance(self._model, bytes) else self._model
            raise TrainingError(
                f"{name} cannot be run: {str(error).partition(chr(10))[0]:.300}",
                "It may need more memory than the machine has. Delete it to use model.safetensors instead.",
            ) from error
        return rows

    def _side(self) -> int:
        """Return the side of its input images; 0 if its inputs or outputs are not those of an export."""
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            return 0
        (taken,), (given,) = inputs, outputs
        match taken.name, taken.type, taken.shape, given.name, given.shape:
            case "image", "tensor(uint8)", [_, int(side), int(other), 3], "probability", [_, int(classes)]:
                return side if side == other <= LARGEST and classes == len(self.labels) else 0
        return 0


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
