"""Damaged files of a run directory through `train --resume`, a new `train`, and `predict`."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from tests.bench.fuzzing import mutations

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from tests.bench.fuzzing.bench import Bench

NAME = "runs"
RESUMED = (
    "options.json",
    "history.csv",
    "splits.csv",
    "predictions.csv",
    "trainer_state.json",
    "config.json",
    "preprocessor_config.json",
    "labels.txt",
)
PREDICTED = ("config.json", "preprocessor_config.json", "labels.txt", "model.safetensors", "metrics.json")
SMALL = {
    "epochs": 2,
    "size": 64,
    "batch": 64,
    "n_augmentation": 2,
    "random_scale": 20,
}  # a large one is slow, not wrong
EVIL = "open('../documents/executed', 'w').close()\ndef score(*_): return 1.0\n"


def prepare(bench: Bench) -> None:
    """Train on a few drawn shapes: one complete run, and one that was interrupted."""
    bench.call(partial(_train, bench.templates / "runs"), "prepare runs", seconds=600)


def _train(folder: Path) -> None:
    from harvest.cli.train import load_train_script  # noqa: PLC0415
    from harvest.errors import HarvestError  # noqa: PLC0415
    from harvest.training import run_directory  # noqa: PLC0415
    from harvest.training.training_options import TrainingOptions  # noqa: PLC0415
    from tests.training.shapes import Listener, tree  # noqa: PLC0415

    shapes = tree(folder / "shapes", {"cross": 10, "disc": 10})
    common = {"from_scratch": True, "epochs": 2, "size": 32, "batch": 4, "cpu": True}
    load_train_script()(TrainingOptions(shapes, out=folder / "whole", **common), Listener())
    cut = folder / "run"
    with suppress(HarvestError):
        load_train_script()(
            TrainingOptions(shapes, out=cut, callbacks=("tests.bench.fuzzing.plug:Plug",), **common),
            Listener(),
        )
    # The callback that interrupted it is removed: a resumed run would need it on the command line.
    options = json.loads((cut / "options.json").read_text("utf-8"))
    (cut / "options.json").write_text(json.dumps({**options, "callbacks": []}), "utf-8")
    run_directory.unlock_run(cut)
    shutil.copy(folder / "whole" / "predictions.csv", cut)
    options = json.loads((cut / "options.json").read_text("utf-8")) | {"callbacks": []}
    (cut / "options.json").write_text(json.dumps(options, indent=2), "utf-8")
    assert list(cut.glob("checkpoints/*/checkpoint-*/trainer_state.json")), "no checkpoint to resume from"


def case(bench: Bench) -> int:
    """Damage files of a run, and use it."""
    rng = bench.draw(NAME)
    shutil.copytree(bench.templates / "runs" / "shapes", bench.workdir / "shapes")
    (bench.workdir / "evil.py").write_text(EVIL, "utf-8")
    if rng.random() < 0.3:
        _copy(bench, "whole", bench.workdir / "run")
        inputs = _damage(bench, bench.workdir / "run", PREDICTED, rng)
        bench.harvest("predict", "run", "shapes/disc", "--top", 3)
        return inputs
    resumed = rng.random() < 0.8
    run = bench.workdir / "run" if resumed else bench.workdir / "shapes.runs" / "first"
    _copy(bench, "run" if resumed else "whole", run)
    inputs = _damage(bench, run, RESUMED if resumed else ("splits.csv", "config.json", "labels.txt"), rng)
    if resumed:
        bench.harvest("train", "shapes", "--resume", "--out", "run", "--cpu", "-q")
    else:
        bench.harvest("train", "shapes", "--model", run, "--out", "run", "--cpu", "-q", "--epochs", 0, "--batch", 16)
    return inputs


def _copy(bench: Bench, name: str, path: Path) -> None:
    """Copy a run, and correct the paths in it."""
    template = bench.templates / "runs"
    shutil.copytree(template / name, path)
    text = (path / "options.json").read_text("utf-8")
    (path / "options.json").write_text(text.replace(str(template), str(bench.workdir)), "utf-8")


def _damage(bench: Bench, run: Path, names: tuple[str, ...], rng: Random) -> int:
    """Damage one or two files; return how many."""
    there = [path for name in names for path in sorted(run.rglob(name))]
    chosen = rng.sample(there, rng.choice((1, 1, 1, 2)))
    documents = str(bench.home / "documents")
    more = ("evil:score", "evil", documents, f"{documents}/photo.jpg", "../../documents", "custom", "find")
    for path in chosen:
        body = path.read_bytes()
        if path.suffix == ".safetensors":
            new = _damage_weights(body, rng)
        elif rng.random() < 0.1:
            new = rng.choice((b"", b"\xff\xfe\0", bytes(3000), mutations.damage(body, rng)))
        elif path.name == "options.json" and rng.random() < 0.4:
            new = json.dumps(json.loads(body) | _harmful_options(documents, rng)).encode()
        elif path.suffix == ".json":
            new = mutations.damage_json(body.decode(), rng, *more)
        elif path.suffix == ".csv":
            new = mutations.damage_table(body.decode(), rng, *more)
        else:
            new = mutations.damage(body, rng)
        path.write_bytes(_bounded(new) if path.name == "options.json" else new)
    return len(chosen)


def _harmful_options(documents: str, rng: Random) -> dict[str, object]:
    """Name code to run, or files outside to read and write."""
    place = rng.choice((documents, f"{documents}/thesis.tex", "../documents", "evil.py"))
    return rng.choice(
        (
            {"metric": "evil:score", "monitor": "custom"},
            {"transform": "evil:score"},
            {"callbacks": ["evil:score"]},
            {"model": place},
            *({name: place} for name in ("tree", "out", "cache", "cost_matrix")),
        )
    )


def _bounded(body: bytes) -> bytes:
    """Limit numbers with which a training would correctly take hours."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if not isinstance(document, dict):
        return body
    for name, most in SMALL.items():
        value = document.get(name)
        if isinstance(value, int | float) and value > most:
            document[name] = most
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _damage_weights(body: bytes, rng: Random) -> bytes:
    """Damage the header of a safetensors file: lengths, names, shapes, offsets."""
    length = int.from_bytes(body[:8], "little")
    if rng.random() < 0.3:
        return mutations.damage(body, rng, near=8 + length)
    header = mutations.damage_json(body[8 : 8 + length].decode(), rng)
    claimed = len(header) if rng.random() < 0.9 else rng.choice((0, 1, 2**31, 2**63 - 1, 2**64 - 1))
    return claimed.to_bytes(8, "little") + header + body[8 + length :]
