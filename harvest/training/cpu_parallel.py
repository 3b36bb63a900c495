"""Data parallelism on the cores of a CPU: each worker computes some images of a batch in one thread.

torch runs each operation on all threads, so that every layer waits for the slowest one. That costs little on
a quiet machine; where other programs use the cores too, it costs half of the time and more.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from harvest.training.processes_and_devices import half_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from harvest.training.network.network_with_classes import Network

    Inputs = dict[str, Tensor]

# Floating-point operations of a batch, below which a second core hardly helps: with 34 million per image, a
# step took 17 ms on one core, 13 ms on two, and 1.9 s on two that other programs used as well.
_SMALL_BATCH = 2_000_000_000
_MAX_WORKERS = 4  # what they do in Python runs one after another


class CpuWorkers:
    """Worker threads that share each batch; with one worker, torch parallelizes as usual."""

    def __init__(self, count: int, *, generators: local | None = None, seed: int = 0) -> None:
        self.count = count
        self._generators = generators or local()
        self._seed = seed
        self._pool = ThreadPoolExecutor(count, "worker", torch.set_num_threads, (torch.get_num_threads(),))
        self._map = self._pool.map if count > 1 else map

    def predict(self, model: nn.Module, inputs: Mapping[str, Tensor]) -> Tensor:
        """Return the logits of a batch, in the precision that the network is saved in.

        Half precision is for training only: it counted 108 of 120 images as right, full precision 105.
        """
        forward = type(model).forward  # accelerate replaces `forward` by one in half precision

        def predict_share(share: Inputs) -> Tensor:
            with torch.no_grad():  # applies to one thread only
                answers: Tensor = forward(model, pixel_values=share["pixel_values"]).logits
                return answers

        return torch.cat(list(self._map(predict_share, self._split_batch(inputs))))

    def compute_gradients(
        self,
        model: nn.Module,
        inputs: Mapping[str, Tensor],
        loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
        *,
        step: int,
    ) -> Tensor:
        """Compute the gradient of each weight for a batch, as `backward` does, and return the loss.

        `loss_of` receives logits, their labels and the labels of the whole batch: the losses of all shares add up.
        """
        weights = [weight for weight in model.parameters() if weight.requires_grad]

        def train_share(number: int, share: Inputs) -> tuple[Tensor, Sequence[Tensor | None]]:
            seed = random.Random(f"{self._seed}/{step}/{number}").getrandbits(63)  # noqa: S311
            self._generators.current = torch.Generator().manual_seed(seed)
            with half_precision(share["labels"].device):
                answers = model(pixel_values=share["pixel_values"]).logits
            loss = loss_of(answers.float(), share["labels"], inputs["labels"])
            return loss.detach(), torch.autograd.grad(loss, weights, allow_unused=True)

        shares = self._split_batch(inputs)
        losses, gradients = zip(*self._map(train_share, range(len(shares)), shares), strict=True)
        for weight, *parts in zip(weights, *gradients, strict=True):
            present = [part for part in parts if part is not None]
            weight.grad = sum(present[1:], start=present[0]) if present else None
        return torch.stack(losses).sum()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _split_batch(self, inputs: Mapping[str, Tensor]) -> list[Inputs]:
        count = max(1, min(self.count, len(inputs["labels"])))
        parts = {name: value.tensor_split(count) for name, value in inputs.items()}
        return [dict(zip(parts, share, strict=True)) for share in zip(*parts.values(), strict=True)]


@contextmanager
def workers_for_prediction(network: Network, *, batch: int) -> Iterator[CpuWorkers]:
    """Yield the workers that compute predictions of a network."""
    _, is_small = _try_network(network, batch, learning=False)
    with _divide_threads(network, is_small=is_small, is_deterministic=True) as count:
        workers = CpuWorkers(count)
        try:
            yield workers
        finally:
            workers.close()


@contextmanager
def workers_for_training(network: Network, *, batch: int, seed: int, together: bool) -> Iterator[CpuWorkers]:
    """Yield the workers that train a network; one, with `together`, if its norms need the whole batch.

    The number of workers depends on the network and the machine, never on its load: the same seed gives the
    same weights.
    """
    is_deterministic, is_small = _try_network(network, batch, learning=not together)
    with _divide_threads(network, is_small=is_small, is_deterministic=is_deterministic and not together) as count:
        generators = local()
        workers = CpuWorkers(count, generators=generators, seed=seed)
        dropouts = _find_dropouts(network.model) if count > 1 else {}
        for name, module in dropouts.items():
            network.model.set_submodule(name, _Dropout(module.p, generators))
        try:
            yield workers
        finally:
            workers.close()
            for name, module in dropouts.items():
                network.model.set_submodule(name, module)


@contextmanager
def _divide_threads(network: Network, *, is_small: bool, is_deterministic: bool) -> Iterator[int]:
    """Yield the number of workers, with torch's threads divided among them; one for little work."""
    before = torch.get_num_threads()
    count = min(before, _MAX_WORKERS) if network.model.device.type == "cpu" and is_deterministic and not is_small else 1
    torch.set_num_threads(1 if is_small else before // count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)


def _try_network(network: Network, batch: int, *, learning: bool) -> tuple[bool, bool]:
    """Run a network once: return whether only its dropouts are random, and whether a batch is little work.

    Other random layers share one generator, so that their results would depend on which worker is first.
    """
    model, was_training = network.model, network.model.training
    gray_image = torch.zeros(1, 3, network.size, network.size, device=model.device)
    dropouts, before = _find_dropouts(model), torch.get_rng_state()
    model.train(learning)
    for module in dropouts.values():
        module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(pixel_values=gray_image)
    model.train(was_training)
    is_deterministic = torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(before)
    return is_deterministic, model.device.type == "cpu" and counter.get_total_flops() * batch < _SMALL_BATCH


def _find_dropouts(model: nn.Module) -> dict[str, nn.Dropout]:
    return {name: module for name, module in model.named_modules() if type(module) is nn.Dropout and module.p}


class _Dropout(nn.Module):
    """Dropout with a generator for each worker: results from the global one depend on which worker is first."""

    def __init__(self, share: float, generators: local) -> None:
        super().__init__()
        self._share = share
        self._generators = generators

    def forward(self, values: Tensor) -> Tensor:
        """Return the input, with a share of it dropped during training."""
        if not self.training:
            return values
        stays = torch.rand(values.shape, generator=self._generators.current) >= self._share
        return values * stays / (1 - self._share)
