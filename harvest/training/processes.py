"""One process or many: who is first, who waits, and on which device they work."""

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
    """The processes that `torchrun` started; one, where it was not used."""

    def __init__(self, *, cpu: bool) -> None:
        # accelerate takes several processes without a card for so many alone, unless it is told.
        self._state = PartialState(cpu=cpu or not torch.accelerator.is_available())
        self._ended = False

    @property
    def is_first(self) -> bool:
        """Tell whether this is the one that writes and speaks."""
        return bool(self._state.is_main_process)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self._state.num_processes)

    @property
    def device(self) -> torch.device:
        """Where this one computes."""
        return torch.device(self._state.device)

    def first_goes_first(self) -> AbstractContextManager[object]:
        """Let the first do a piece of work alone; the others then find it done, in the cache."""
        if self._ended:
            return nullcontext()
        found: AbstractContextManager[object] = self._state.main_process_first()
        return found

    def agree(self, text: str) -> str:
        """Return in every process what the first one says."""
        said = [text]
        broadcast_object_list(said)
        return said[0]

    def end(self) -> None:
        """Leave the group of processes as it wants to be left."""
        if self.count > 1:
            self._state.destroy_process_group()
            self._ended = True


def is_caused_by_other_process(error: RuntimeError) -> bool:
    """Tell whether a process of several only fails because another one went: that one says why.

    >>> is_caused_by_other_process(RuntimeError("[…/gloo/transport/tcp/pair.cc:553] Connection closed by peer"))
    False
    """
    alone = int(os.environ.get("WORLD_SIZE", "1")) < 2  # noqa: PLR2004 - as torchrun tells
    return not alone and any(sign in str(error) for sign in _LOST)


def choose_mixed_precision(device: torch.device) -> str:
    """Return the half precision that this hardware multiplies faster than single: "bf16", "fp16" or "no".

    Of CPUs only those with tiles (AMX) gain: 23 → 6 ms for ResNet-34 forward; without them it is slower.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    if device.type == "cpu" and _has_tiles():
        return "bf16"
    return "no"


def half_precision(device: torch.device) -> AbstractContextManager[object]:
    """Compute in bf16 where that is faster; fp16 needs losses that are scaled, which the Trainer does."""
    return torch.autocast(device.type, torch.bfloat16, enabled=choose_mixed_precision(device) == "bf16")


def _has_tiles() -> bool:
    ask = getattr(torch.cpu, "get_capabilities", None)  # since torch 2.12
    return bool(ask and ask().get("amx_bf16"))
