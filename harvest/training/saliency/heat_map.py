"""Compute where in an image a network sees a class: gradient-weighted class activation.

The heat of a place is the part of the score of the class that comes from there: the activations of a late layer, each
times its gradient, summed over the channels, where the sum is positive. For a network that ends in convolutions, a mean
over all places and a linear layer, as most do, this is Grad-CAM. Vision transformers have no such layer: there the
places are the tokens, after the last normalisation through which they still influence the score.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

_GRID = 7  # cells a side: what networks for 224 pixels end in; those for smaller images end in coarser ones
_TOKENS, _IMAGES = 3, 4  # dimensions: images × tokens × channels, and with rows and columns


def compute_heat(
    model: nn.Module, scores: Callable[[Tensor], Tensor], pixels: Tensor, classes: Sequence[int]
) -> NDArray[np.float32]:
    """Return the heat of each image for its class: images × rows × columns, from 0 to 1.

    `scores` runs the model on normalised pixels and returns one row for each image. The heat is 0 everywhere if nothing
    speaks for the class.
    """
    with torch.inference_mode(mode=False), torch.enable_grad(), _record_outputs(model) as layers:
        rows = scores(pixels.clone().requires_grad_())
        # What speaks for all classes alike decides nothing.
        chosen = (rows - rows.mean(dim=1, keepdim=True))[torch.arange(len(rows)), list(classes)]
        gradients = torch.autograd.grad(chosen.sum(), layers, allow_unused=True) if layers else ()
    heat = pixels.new_zeros(len(pixels), *pixels.shape[-2:])
    for grid in _grids(layers, gradients):
        is_empty = heat.amax((-2, -1)) <= 0
        if not is_empty.any():
            break
        heat[is_empty] = _enlarge(grid[is_empty], heat.shape[-2:])
    heat = heat / heat.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    result: NDArray[np.float32] = heat.nan_to_num().clamp(0, 1).cpu().numpy()
    return result


@contextmanager
def _record_outputs(model: nn.Module) -> Iterator[list[Tensor]]:
    """Record the outputs of the layers that still know places: of convolutions, and of normalised tokens."""
    outputs: list[Tensor] = []

    def record(layer: nn.Module, _: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.requires_grad:
            has_places = output.dim() == _IMAGES or (output.dim() == _TOKENS and "Norm" in type(layer).__name__)
            if has_places:
                outputs.append(output)

    hooks = [layer.register_forward_hook(record) for layer in model.modules()]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()


def _grids(layers: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Tensor]:
    """Return what speaks for the class at each layer: the last one first, and those with coarse grids at the end."""
    grids = [
        grid.clamp_min(0)
        for layer, gradient in zip(layers, gradients, strict=True)
        if gradient is not None and (grid := _sum_channels((layer * gradient).detach().float())) is not None
    ]
    grids.reverse()
    return sorted(grids, key=lambda grid: -min(grid.shape[-1], _GRID))


def _enlarge(grid: Tensor, size: tuple[int, ...]) -> Tensor:
    return nn.functional.interpolate(grid[:, None], size, mode="bilinear", align_corners=False)[:, 0]


def _sum_channels(values: Tensor) -> Tensor | None:
    """Return images × rows × columns; None if the layer has no square grid of places."""
    if values.dim() == _TOKENS:
        side = math.isqrt(values.shape[1])
        first = values.shape[1] - side * side  # tokens that are not places, such as that of the class
        return values[:, first:].sum(-1).reshape(-1, side, side) if side > 1 else None
    _, second, third, fourth = values.shape
    if third == fourth > 1:
        return values.sum(1)
    return values.sum(-1) if second == third > 1 else None
