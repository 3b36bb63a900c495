"""How the cores of a machine share a batch: each takes some of its pictures, and does their sums alone.

torch lets all threads do each sum together, so that every layer waits for the slowest of them. That costs
little on a quiet machine; where other programs want the cores too, it costs half of the time and more.
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

from harvest.training.processes import half_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch import Tensor

    from harvest.training.network.network import Network

    Lesson = dict[str, Tensor]

# Sums of a batch, below which a second core is hardly worth it: with 34 million a picture a step took 17 ms
# on one core, 13 on two, and 1.9 s on two that others used as well.
_LITTLE = 2_000_000_000
_MOST = 4  # hands: what they do in Python they do one after another


class CpuWorkers:
    """So many threads; one hand alone leaves everything to torch."""

    def __init__(self, count: int, *, dice: local | None = None, seed: int = 0) -> None:
        self.count = count
        self._dice = dice or local()
        self._seed = seed
        self._pool = ThreadPoolExecutor(count, "hand", torch.set_num_threads, (torch.get_num_threads(),))
        self._map = self._pool.map if count > 1 else map

    def predict(self, model: nn.Module, lesson: Mapping[str, Tensor]) -> Tensor:
        """Return the answers to a batch, in the precision that the network is saved in.

        Half precision is for learning: of 120 pictures it took 108 for right where all of it took 105.
        """
        plain = type(model).forward  # accelerate puts one in its place that computes in halves

        def predict_share(share: Lesson) -> Tensor:
            with torch.no_grad():  # each thread says so for itself
                answers: Tensor = plain(model, pixel_values=share["pixel_values"]).logits
                return answers

        return torch.cat(list(self._map(predict_share, self._split_batch(lesson))))

    def compute_gradients(
        self,
        model: nn.Module,
        lesson: Mapping[str, Tensor],
        loss_of: Callable[[Tensor, Tensor, Tensor], Tensor],
        *,
        step: int,
    ) -> Tensor:
        """Give each weight its gradient of a batch, as `backward` does, and return the loss.

        `loss_of` gets answers, their labels and those of the whole batch: the losses of all shares add up.
        """
        weights = [weight for weight in model.parameters() if weight.requires_grad]

        def train_share(number: int, share: Lesson) -> tuple[Tensor, Sequence[Tensor | None]]:
            chance = random.Random(f"{self._seed}/{step}/{number}").getrandbits(63)  # noqa: S311
            self._dice.now = torch.Generator().manual_seed(chance)
            with half_precision(share["labels"].device):
                answers = model(pixel_values=share["pixel_values"]).logits
            loss = loss_of(answers.float(), share["labels"], lesson["labels"])
            return loss.detach(), torch.autograd.grad(loss, weights, allow_unused=True)

        shares = self._split_batch(lesson)
        losses, gradients = zip(*self._map(train_share, range(len(shares)), shares), strict=True)
        for weight, *parts in zip(weights, *gradients, strict=True):
            known = [part for part in parts if part is not None]
            weight.grad = sum(known[1:], start=known[0]) if known else None
        return torch.stack(losses).sum()

    def close(self) -> None:
        """Let go of the threads."""
        self._pool.shutdown(cancel_futures=True)

    def _split_batch(self, lesson: Mapping[str, Tensor]) -> list[Lesson]:
        count = max(1, min(self.count, len(lesson["labels"])))
        parts = {name: value.tensor_split(count) for name, value in lesson.items()}
        return [dict(zip(parts, share, strict=True)) for share in zip(*parts.values(), strict=True)]


@contextmanager
def workers_for_prediction(network: Network, *, batch: int) -> Iterator[CpuWorkers]:
    """Share the batches that a network is only asked about."""
    _, little = _try_network(network, batch, learning=False)
    with _divide_threads(network, little=little, steady=True) as count:
        hands = CpuWorkers(count)
        try:
            yield hands
        finally:
            hands.close()


@contextmanager
def workers_for_training(network: Network, *, batch: int, seed: int, together: bool) -> Iterator[CpuWorkers]:
    """Share the batches that a network learns from; `together` where its norms must see a batch whole.

    How they are shared hangs on the network and the machine, never on how busy that is: the same seed gives
    the same weights.
    """
    steady, little = _try_network(network, batch, learning=not together)
    with _divide_threads(network, little=little, steady=steady and not together) as count:
        dice = local()
        hands = CpuWorkers(count, dice=dice, seed=seed)
        dropouts = _dropouts(network.model) if count > 1 else {}
        for name, module in dropouts.items():
            network.model.set_submodule(name, _Dropout(module.p, dice))
        try:
            yield hands
        finally:
            hands.close()
            for name, module in dropouts.items():
                network.model.set_submodule(name, module)


@contextmanager
def _divide_threads(network: Network, *, little: bool, steady: bool) -> Iterator[int]:
    """Yield how many hands there are, with torch's threads dealt to them; for little work there is one."""
    before = torch.get_num_threads()
    count = min(before, _MOST) if network.model.device.type == "cpu" and steady and not little else 1
    torch.set_num_threads(1 if little else before // count)
    try:
        yield count
    finally:
        torch.set_num_threads(before)


def _try_network(network: Network, batch: int, *, learning: bool) -> tuple[bool, bool]:
    """Show a network one picture: tell whether it is steady, and whether a batch is little work for it.

    A steady one draws lots in dropouts alone; others would draw what their hands leave each other.
    """
    model, was = network.model, network.model.training
    grey = torch.zeros(1, 3, network.size, network.size, device=model.device)
    dropouts, before = _dropouts(model), torch.get_rng_state()
    model.train(learning)
    for module in dropouts.values():
        module.eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(pixel_values=grey)
    model.train(was)
    steady = torch.equal(before, torch.get_rng_state())
    torch.set_rng_state(before)
    return steady, model.device.type == "cpu" and counter.get_total_flops() * batch < _LITTLE


def _dropouts(model: nn.Module) -> dict[str, nn.Dropout]:
    return {name: module for name, module in model.named_modules() if type(module) is nn.Dropout and module.p}


class _Dropout(nn.Module):
    """Drops by lots of the hand that asks: those of the whole process go to whichever hand comes first."""

    def __init__(self, share: float, dice: local) -> None:
        super().__init__()
        self._share = share
        self._dice = dice

    def forward(self, given: Tensor) -> Tensor:
        """Return what is given, a share of it dropped while learning."""
        if not self.training:
            return given
        stays = torch.rand(given.shape, generator=self._dice.now) >= self._share
        return given * stays / (1 - self._share)
