"""What a command needs beyond what everybody has, and the line that brings it."""

from __future__ import annotations

from importlib.util import find_spec

from harvest.errors import UsageError

NETWORK = ("torch", "transformers", "safetensors")
SERVER = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


def need_a_server() -> None:
    """Refuse where there is nothing to serve with."""
    missing = [package for module, package in SERVER.items() if find_spec(module) is None]
    if missing:
        raise _missing(missing)


def need_an_engine() -> None:
    """Refuse where there is nothing to run a network with; onnxruntime alone runs what was exported."""
    missing = [name for name in NETWORK if find_spec(name) is None]
    if missing and find_spec("onnxruntime") is None:
        raise _missing(missing)


def _missing(packages: list[str]) -> UsageError:
    names = " and ".join(packages)
    return UsageError(f"this needs {names}, not installed here.", f"pip install {' '.join(packages)}")
