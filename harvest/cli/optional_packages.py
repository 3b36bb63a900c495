"""Checks for the optional packages that a command needs, made before anything is read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from harvest.cli.operating_system_errors import need_a_working_directory, need_room
from harvest.errors import UsageError, name_missing_packages

if TYPE_CHECKING:
    from collections.abc import Iterable

_NETWORK = ("torch", "transformers", "safetensors")
_TRAINER = (*_NETWORK, "accelerate", "sklearn", "scipy")
_SERVER = ("python_multipart",)  # starlette and uvicorn are always there
# Megabytes of address space, measured: with less, a library may end the process while it is loaded.
_TO_TRAIN = 1024
_TO_PREDICT = 640


def require_training() -> None:
    """Raise `UsageError` if packages for training are missing."""
    _require(_TRAINER)
    need_a_working_directory()
    need_room(_TO_TRAIN)


def require_inference() -> None:
    """Raise `UsageError` if packages for inference are missing; onnxruntime alone runs an export."""
    if find_spec("onnxruntime") is None:
        _require(_NETWORK)
    need_a_working_directory()
    need_room(_TO_PREDICT)


def require_serving() -> None:
    """Raise `UsageError` if packages for serving are missing."""
    _require(_SERVER)


def _require(modules: Iterable[str]) -> None:
    if missing := [name for name in modules if find_spec(name) is None]:
        raise UsageError(
            f"this needs {name_missing_packages(missing)}.",
            "In a checkout of harvest: pip install -e '.[train]'",
        )
