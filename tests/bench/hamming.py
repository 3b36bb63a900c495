"""Measure the exact radius search among up to a million hashes, and imagededup's among 20,000.

    python tests/bench/hamming.py

A tenth of the hashes equal another one with 1 to 8 flipped bits. imagededup searches with its default method
and our radius; if it cannot be imported, it is left out. The last lines search for the duplicates of one image.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.duplicates.fingerprint import PACKED
from harvest.duplicates.hamming_search import RADIUS, find_pairs
from harvest.duplicates.index import DuplicateIndex, find_duplicates
from harvest.models import Fingerprint


def hashes(count: int) -> np.ndarray:
    """Return distinct hashes, a tenth of them neighbours of another."""
    rng = np.random.default_rng(count)
    some = rng.integers(0, 2**64, count, dtype=np.uint64)
    changed = some[: count // 10].copy()
    for step in range(RADIUS):
        flip = np.uint64(1) << rng.integers(0, 64, len(changed)).astype(np.uint64)
        changed ^= np.where(rng.random(len(changed)) < (RADIUS - step) / RADIUS, flip, np.uint64(0))
    return np.unique(np.concatenate((some[: count - len(changed)], changed)))


def ours(values: np.ndarray) -> tuple[float, int]:
    start = time.perf_counter()
    found = sum(len(one) for one, _ in find_pairs(values))
    return time.perf_counter() - start, found


def theirs(values: np.ndarray) -> tuple[float, int] | None:
    try:
        from imagededup.methods import PHash  # noqa: PLC0415 - a peer need not be installed
    except (ImportError, OSError, RuntimeError):
        return None
    named = {str(number): f"{value:016x}" for number, value in enumerate(values.tolist())}
    start = time.perf_counter()
    found = PHash(verbose=False).find_duplicates(encoding_map=named, max_distance_threshold=RADIUS)
    return time.perf_counter() - start, sum(map(len, found.values())) // 2


def looks(count: int) -> list[Fingerprint]:
    """Return random fingerprints, all different."""
    rng = np.random.default_rng(count)
    packed = np.zeros(count, PACKED)
    packed["hashes"] = rng.integers(0, 2**64, packed["hashes"].shape, dtype=np.uint64)
    packed["luma"] = rng.integers(0, 256, packed["luma"].shape)
    packed["chroma"] = 128
    return [Fingerprint(one.tobytes()) for one in packed]


def online(count: int) -> None:
    known, new = looks(count), looks(300)
    start = time.perf_counter()
    index = DuplicateIndex(enumerate(known))
    built = time.perf_counter() - start
    times = {}
    for name, some in (("a new picture", new), ("a known one", known[:300])):
        spent = []
        for one in some:
            start = time.perf_counter()
            found = index.find(one)
            spent.append(time.perf_counter() - start)
            assert bool(found) == (name == "a known one")
        times[name] = np.median(spent) * 1e3
    spoken = ", ".join(f"{name} {value:.2f} ms" for name, value in times.items())
    print(f"{count:>9,} known images: indexed in {built:.2f} s; search for the duplicates of {spoken}", flush=True)


def main() -> None:
    print(f"hashes within {RADIUS} bits of each other")
    print(f"{'hashes':>10}{'pairs':>10}{'seconds':>10}{'peak MB':>10}")
    took = {}
    for count in (20_000, 100_000, 1_000_000):
        took[count], found = min(ours(hashes(count)) for _ in range(3))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{count:>10,}{found:>10,}{took[count]:>10.2f}{peak:>10.0f}", flush=True)
    growth = took[1_000_000] / took[100_000]
    print(f"from 100,000 to 1,000,000: {growth:.1f} times as long (goal: at most 12)")
    rival = theirs(hashes(20_000))
    if rival:
        ratio = rival[0] / took[20_000]
        print(f"imagededup, 20,000: {rival[1]:,} pairs in {rival[0]:.1f} s, {ratio:.0f} x our time (goal: 50)")
    else:
        print("imagededup cannot be imported: not compared")
    for count in (1_000, 50_000, 200_000):
        online(count)
    some = looks(20_000)
    start = time.perf_counter()
    find_duplicates(some)
    print(f"all duplicates among 20,000 images: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
