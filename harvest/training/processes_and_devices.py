"""The processes of a training, one or several with torchrun, and the device of each."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


_LOST = ("gloo/transport", "NCCL", "Connection closed by peer", "Connection reset by peer")


class Processes:
    """The processes that `torchrun` started; one without it."""

    def __init__(self, *, cpu: bool) -> None:
        # Without `cpu`, accelerate does not connect several processes on a machine that has no GPU.
        self._state = PartialState(cpu=cpu or not torch.accelerator.is_available())
        self._ended = False

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and messages."""
        return bool(self._state.is_main_process)

    @property
    def count(self) -> int:
        """The number of processes."""
        return int(self._state.num_processes)

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return torch.device(self._state.device)

    def first_goes_first(self) -> AbstractContextManager[object]:
        """Let the first process do some work; the others wait, and then find the result in the cache."""
        if self._ended:
            return nullcontext()
        found: AbstractContextManager[object] = self._state.main_process_first()
        return found

    def agree(self, text: str) -> str:
        """Return the text of the first process in every process."""
        texts = [text]
        broadcast_object_list(texts)
        return texts[0]

    def end(self) -> None:
        """Leave the group of processes cleanly."""
        if self.count > 1:
            self._state.destroy_process_group()
            self._ended = True


def is_caused_by_other_process(error: RuntimeError) -> bool:
    """Return whether a process fails only because another one ended, which reports the reason itself.

    >>> is_caused_by_other_process(RuntimeError("[…/gloo/transport/tcp/pair.cc:553] Connection closed by peer"))
    False
    """
    alone = int(os.environ.get("WORLD_SIZE", "1")) < 2  # noqa: PLR2004 - set by torchrun
    return not alone and any(sign in str(error) for sign in _LOST)


def choose_mixed_precision(device: torch.device) -> str:
    """Return the half precision that is faster than single precision on this device: "bf16", "fp16" or "no".

    Only CPUs with tiles (AMX) gain: ResNet-34 forward 23 → 6 ms; on others it is slower.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu" and _has_tiles():
        return "bf16"
    return "no"


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Compute in bf16 where that is faster; fp16 needs loss scaling, which the Trainer does."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_mixed_precision(device) == "bf16")


def _has_tiles() -> bool:
    get_capabilities = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.12
    return bool(get_capabilities and get_capabilities().get("amx_bf16"))
