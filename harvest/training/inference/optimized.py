"""The same network, faster: for looking at pictures, not for learning.

Batch norm goes into the convolutions before it, channels come last, and half precision is used where the
hardware multiplies it faster: on a core with AMX ResNet-34 takes 12 ms, not 61, MobileNetV2 9, not 42.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager, nullcontext
from threading import local
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from harvest.training.processes import choose_mixed_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from harvest.training.network.network import Network

_CLOSE = 1e-3  # of the largest number: what reordering sums may change
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def optimize_features(network: Network, device: torch.device | None = None) -> Callable[[Tensor], Tensor]:
    """Return `network.features` as a faster function, on that device; the network itself stays as it is."""
    device = device or network.model.device
    copied = copy.deepcopy(network)
    model: nn.Module = copied.model
    model.eval().to(device=device)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
    noise = torch.Generator().manual_seed(0)
    probe = torch.randn(1, 3, network.size, network.size, generator=noise).to(device)
    with torch.inference_mode():
        expected = copied.features(probe)
        folded = copy.deepcopy(copied)
        fold_batch_norm(folded.model, probe)
        apart = (folded.features(probe) - expected).abs().max()
        if apart <= _CLOSE * expected.abs().max():
            copied = folded
    half = _HALF.get(choose_mixed_precision(device))
    caught = local()  # each thread catches its own
    copied.head.register_forward_pre_hook(lambda _, given: setattr(caught, "given", given[0]))

    def precision() -> AbstractContextManager[None]:
        return torch.autocast(device.type, half) if half else nullcontext()

    def features(pixels: Tensor) -> Tensor:
        with torch.inference_mode(), precision():
            copied.model(pixel_values=pixels.to(device))
            given: Tensor = caught.given
            return given.float()

    return features


def fold_batch_norm(model: nn.Module, probe: Tensor) -> None:
    """Fold each batch norm into the convolution whose answer it is given, as one picture shows."""
    # The answers are kept, so that none takes another's place in memory.
    came: dict[int, tuple[str, nn.Conv2d, Tensor]] = {}
    pairs: list[tuple[str, nn.Conv2d, str, nn.BatchNorm2d]] = []
    hooks = []
    for name, module in model.named_modules():

        def note(it: nn.Conv2d, _: object, answer: Tensor, name: str = name) -> None:
            came[id(answer)] = name, it, answer

        def pair(it: nn.BatchNorm2d, given: tuple[Tensor], name: str = name) -> None:
            if id(given[0]) in came:
                pairs.append((*came[id(given[0])][:2], name, it))

        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(note))
        elif type(module) is nn.BatchNorm2d:  # a subclass may do more, and mostly does
            hooks.append(module.register_forward_pre_hook(pair))
    try:
        model(pixel_values=probe)
    finally:
        for hook in hooks:
            hook.remove()
    for name, convolution, norm_name, norm in pairs:
        model.set_submodule(name, fuse_conv_bn_eval(convolution, norm))
        model.set_submodule(norm_name, nn.Identity())
