"""Measure a step of fine-tuning with worker processes and with torch's own threads, alone and on a busy machine.

    python tests/bench/sharing.py

The machine is kept busy by as many processes as there are cores, which only count.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.training import cpu_parallel
from harvest.training.network.network_with_classes import load_pretrained
from harvest.training.trainer import optimizer
from harvest.training.trainer.loss import Loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.training.network.network_with_classes import Network

BATCH, STEPS = 32, 6
LABELS = tuple("abcde")


def network(name: str) -> Network:
    """Return a network of random weights, which is as slow as a trained one, with frozen batch norms."""
    made = load_pretrained(name, LABELS, from_scratch=True)
    optimizer.freeze_batch_norm(made.model)
    made.model.train().to(memory_format=torch.channels_last)
    return made


def a_step(made: Network, *, by_hands: bool) -> float:
    """Return how many milliseconds a step takes."""
    dice = torch.Generator().manual_seed(0)
    lesson = {
        "pixel_values": torch.randn(BATCH, 3, made.size, made.size, generator=dice),
        "labels": torch.randint(len(LABELS), (BATCH,), generator=dice),
    }
    loss = Loss(lesson["labels"].numpy(), len(LABELS))
    times = []
    own = nullcontext(cpu_parallel.CpuWorkers(1))
    with cpu_parallel.workers_for_training(made, batch=BATCH, seed=0, together=False) if by_hands else own as used:
        for step in range(STEPS + 1):
            began = time.monotonic()
            used.compute_gradients(made.model, lesson, loss.compute, step=step)
            times.append(time.monotonic() - began)
    return 1000 * median(times[1:])


def count_for_ever() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextmanager
def neighbours(number: int) -> Iterator[None]:
    """Keep the cores busy with other processes meanwhile."""
    busy = [multiprocessing.Process(target=count_for_ever, daemon=True) for _ in range(number)]
    for each in busy:
        each.start()
    try:
        yield
    finally:
        for each in busy:
            each.kill()


def main() -> None:
    """Print both, for a small and a usual network."""
    for name in ("small", "mobilenet", "resnet34"):
        made = network(name)
        for number in (0, multiprocessing.cpu_count()):
            with neighbours(number):
                own, shared = a_step(made, by_hands=False), a_step(made, by_hands=True)
            print(
                f"{name:<10} {made.size} px, {number} busy processes: torch's threads {own:6.0f} ms,"
                f" workers {shared:6.0f} ms, {own / shared:.1f}×",
                flush=True,
            )


if __name__ == "__main__":
    main()
