"""Damaged images through decoding, `predict`, and `status`, which fingerprints new files."""

from __future__ import annotations

import shutil
import sys
import traceback
from functools import partial
from typing import TYPE_CHECKING

from tests.bench.fuzzing.image_files import damaged_image, images

if TYPE_CHECKING:
    from pathlib import Path

    from tests.bench.fuzzing.bench import Bench

NAME = "images"
BATCH = 40  # images per case: every command sees all of them


def prepare(bench: Bench) -> None:
    """Write a trained network and a dataset, in processes of their own: this one must have no threads."""
    bench.call(partial(_write_run, bench.templates / "run"), "prepare images")
    prepare_dataset(bench)


def prepare_dataset(bench: Bench) -> None:
    """Write only the dataset; without a network, cases leave `predict` out."""
    images()
    bench.call(partial(_write_dataset, bench.templates / "images"), "prepare images")


def _write_run(path: Path) -> None:
    from tests.training.tiny import write_run  # noqa: PLC0415 - torch is imported where it is needed

    write_run(path)


def _write_dataset(path: Path) -> None:
    from tests.datasets import new  # noqa: PLC0415

    new(path, king=range(4), coral=range(100, 104))


def case(bench: Bench) -> int:
    """Damage a batch of images; return how many there are."""
    rng = bench.draw(NAME)
    inputs = bench.workdir / "inputs"
    shutil.copytree(bench.templates / "images", bench.workdir / "dataset")
    inputs.mkdir()
    for number in range(BATCH):
        name, body = damaged_image(rng)
        (inputs / f"{number:02}-{name}").write_bytes(body)
        (bench.workdir / "dataset" / "king" / f"{number:02}-{name}").write_bytes(body)
    bench.call(partial(_decode, inputs), "decode inputs/*")
    if (bench.templates / "run").exists():
        bench.harvest("predict", bench.templates / "run", inputs)
    bench.harvest("status", "dataset")
    return BATCH


def _decode(folder: Path) -> None:
    """Decode each image as a run does; print an exception with the name of the image."""
    from harvest import images as decoders  # noqa: PLC0415
    from harvest.models import Hit, Recipe  # noqa: PLC0415

    for path in sorted(folder.iterdir()):
        body = path.read_bytes()
        hit = Hit(f"https://images.test/{path.name}", "URLS", f"url:{path.name}", 1)
        steps = (
            lambda body=body, hit=hit: decoders.process_image(body, hit, Recipe(size=299, min_size=1)),
            lambda body=body, hit=hit: decoders.process_image(body, hit, Recipe(size=0, pad=False, min_size=1)),
            lambda body=body: decoders.inspect_image(body),
            lambda body=body: decoders.memory_needed(body),
            lambda body=body: decoders.source_of(body),
        )
        for step in steps:
            try:
                step()
            except Exception:  # noqa: BLE001 - any exception is what the fuzzer looks for
                print(path.name, file=sys.stderr)
                traceback.print_exc()
