"""What a command needs beyond what everybody has, named before anything is read."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from harvest.cli.environment import need_a_working_directory, need_room
from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

_NETWORK = ("torch", "transformers", "safetensors")
_TRAINER = (*_NETWORK, "accelerate", "sklearn", "scipy")
_SERVER = ("starlette", "uvicorn", "python_multipart")
# Megabytes of address space, measured: with less, a library may end the process while it is loaded.
_TO_TRAIN = 1024
_TO_PREDICT = 640


def require_training() -> None:
    """Refuse where there is nothing to train with."""
    _require(_TRAINER)
    need_a_working_directory()
    need_room(_TO_TRAIN)


def require_inference() -> None:
    """Refuse where there is nothing to run a network with; onnxruntime alone runs what was exported."""
    if find_spec("onnxruntime") is None:
        _require(_NETWORK)
    need_a_working_directory()
    need_room(_TO_PREDICT)


def require_serving() -> None:
    """Refuse where there is nothing to serve with."""
    _require(_SERVER)


def _require(modules: Iterable[str]) -> None:
    if missing := [name for name in modules if find_spec(name) is None]:
        raise UsageError(
            f"this needs {', '.join(missing)}, which this environment lacks.",
            "In a checkout of harvest: pip install -e '.[train]'",
        )
