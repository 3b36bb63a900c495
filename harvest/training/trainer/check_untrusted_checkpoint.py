"""Check the files of a checkpoint before they are loaded: their sizes, and the shapes of their tensors.

A run directory may come from a stranger. torch reads a pickle of weights without running code, but it would
unpack any size, and accept any state of an optimizer.
"""

from __future__ import annotations

import math
import zipfile
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open

from harvest.training.run_directory import MOST

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

_ROOM = 64 << 20  # bytes of a file besides its tensors
_LARGEST = 1 << 53  # number: the schedule computes with it


def check_size(path: Path, most: int) -> None:
    """Raise ValueError for a file of torch.save that is too large, packed or unpacked."""
    if path.stat().st_size > most + _ROOM:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path.name} is damaged, or could run code")
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > most + _ROOM:
        raise ValueError(f"{path.name} would unpack to {unpacked:,} bytes")


def check_descriptions(folder: Path) -> None:
    """Raise ValueError for JSON files that are too large."""
    for path in folder.glob("*.json"):
        if path.stat().st_size > MOST:
            raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes")


def check_weights(path: Path, model: nn.Module) -> None:
    """Raise ValueError if the shapes of the weights are not those of this network."""
    expected = {name: list(value.shape) for name, value in model.state_dict().items()}
    with safe_open(path, "pt") as file:
        found = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - not a dict
    if other := sorted(name for name, shape in found.items() if expected.get(name) != shape):
        raise ValueError(f"{path.name} is of another network: {other[0]!r:.80}")


def check_optimizer(path: Path, optimizer: Any) -> None:
    """Raise ValueError if a file is not a state of this optimizer."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    check_size(path, 3 * sum(weight.nbytes for weight in weights))
    state = torch.load(path, map_location="cpu", weights_only=True)
    current = optimizer.state_dict()
    if not isinstance(state, dict) or not is_alike(state.get("param_groups"), current["param_groups"]):
        raise ValueError(f"{path.name} is of another optimizer")
    moments = state.get("state")
    if not isinstance(moments, dict) or not all(
        type(number) is int and 0 <= number < len(weights) and _is_moment(moment, weights[number])
        for number, moment in moments.items()
    ):
        raise ValueError(f"{path.name} is of another network")


def check_schedule(path: Path, schedule: Any) -> None:
    """Raise ValueError if a file is not a state of this learning-rate schedule."""
    check_size(path, 0)
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not is_alike(state, schedule.state_dict()):
        raise ValueError(f"{path.name} is of another schedule")


def is_alike(found: Any, expected: Any) -> bool:
    """Return whether two values have the same structure: types, keys and lengths; numbers must be finite.

    >>> is_alike({"step": 3, "rates": [0.5]}, {"step": 0, "rates": [0.0]})
    True
    >>> is_alike({"step": []}, {"step": 0})
    False
    """
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(is_alike(found[name], value) for name, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        return isinstance(found, list | tuple) and len(found) == len(expected) and all(map(is_alike, found, expected))
    if type(expected) in (int, float):
        return type(found) in (int, float) and math.isfinite(found) and abs(found) <= _LARGEST
    return type(found) is type(expected)


def _is_moment(moment: Any, weight: torch.Tensor) -> bool:
    """Return whether a value is Adam's state of a weight: a number of steps, and two averages."""
    if not isinstance(moment, dict) or moment.keys() != {"step", "exp_avg", "exp_avg_sq"}:
        return False
    averages = (moment["exp_avg"], moment["exp_avg_sq"])
    return (
        all(isinstance(value, torch.Tensor) and not value.is_meta for value in moment.values())
        and moment["step"].numel() == 1
        and all(value.shape == weight.shape and value.is_floating_point() for value in averages)
    )
