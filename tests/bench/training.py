"""Measure training on 600 photographs of five flowers: harvest, and fastai with the same weights and split.

    python tests/bench/training.py --rivals-python /path/to/venv/bin/python [frozen] [flips] [tuned]

* frozen: `--epochs 0` as a first run and with cached features, and fastai's `fine_tune(1)`
* flips: 5 % of the labels are changed; how many of them are among the 10 % with the highest out-of-fold loss
* tuned: `--epochs 4` and `fine_tune(4)`, the mean over five seeds, each with another split

Every run is a process of its own. Its time starts after its libraries are imported and stops at its end. By
then our run has decoded and hashed every image, evaluated, searched for suspects, drawn the learning curve and
written its report; fastai has trained. CPU is the CPU time of a run and its child processes: the figure to use
on a shared machine. Accuracy is on the valid split, by which both may choose, and on the test split, which
neither sees. Images and weights are those of ../shared/data.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.cli.train import load_train_script
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.load_pictures import load_pictures
from harvest.splits.split_images import make_split
from harvest.training.features.compute_features import Features, compute_features
from harvest.training.head import solve_head
from harvest.training.network.network_with_classes import load_pretrained
from harvest.training.progress import NoProgress
from harvest.training.training_options import TrainingOptions

DATA = Path(__file__).parents[3] / "shared" / "data"
FLOWERS, WEIGHTS = DATA / "flowers", DATA / "mobilenet_v2"
RIVAL = Path(__file__).with_name("training_rival.py")
PARTS = ("train", "valid", "test")
ROUNDS = 2
SEEDS = (42, 43, 44, 45, 46)
# For fastai: processes that decode, and threads of the process that trains.
BEST = (2, 1)
TRIED = [(0, os.cpu_count() or 1), (2, os.cpu_count() or 1), (2, 1)]
TURNED, LOOKED_AT = 0.05, 0.10


class Came(NamedTuple):
    """The result of one run."""

    seconds: float
    cpu: float
    valid: float
    test: float

    def __str__(self) -> str:
        return f"{self.seconds:6.1f} s  CPU {self.cpu:6.1f} s  valid {self.valid:6.1%}  test {self.test:6.1%}"


class Bench:
    """A folder for the runs, and the interpreter that has fastai."""

    def __init__(self, folder: Path, python: str) -> None:
        self._folder = folder
        self._python = python

    def ours(self, name: str, *, epochs: int, seed: int, cache: str) -> Came:
        """Run `train.py` in a process of its own."""
        out = self._folder / name
        asked = {"out": str(out), "cache": str(self._folder / cache), "epochs": epochs, "seed": seed}
        seconds, cpu = _said(sys.executable, __file__, "--once", json.dumps(asked))
        metrics = json.loads((out / "metrics.json").read_text("utf-8"))
        figures = metrics["candidates"][metrics["saved"]]
        return Came(seconds, cpu, figures["valid"]["accuracy"], figures["test"]["accuracy"])

    def fastai(self, name: str, *, epochs: int, seed: int, setting: tuple[int, int] = BEST) -> Came:
        """Run fastai on the split that one of our runs wrote."""
        with (self._folder / name / "splits.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        pictures: dict[str, list[dict[str, object]]] = {part: [] for part in PARTS}
        for row in rows:
            path, part = str(FLOWERS / row["path"]), row["part"]
            pictures[part].append({"path": path, "label": row["label"], "is_valid": part == "valid"})
        task = {
            "weights": str(WEIGHTS),
            "pictures": pictures["train"] + pictures["valid"],
            "exams": {part: pictures[part] for part in ("valid", "test")},
            "folder": str(self._folder),
            "epochs": epochs,
            "seed": seed,
            "batch": 32,
            "size": 224,
            "resize": 256,
            "workers": setting[0],
            "threads": setting[1],
        }
        path = self._folder / "task.json"
        path.write_text(json.dumps(task), "utf-8")
        result = _said(self._python, str(RIVAL), str(path))
        return Came(result["seconds"], result["cpu"], result["valid"], result["test"])

    def tune(self) -> None:
        """Print fastai with each setting."""
        self.ours("tune", epochs=0, seed=42, cache="cache")
        for setting in TRIED:
            _say(
                "fastai, {} workers, {} threads".format(*setting),
                self.fastai("tune", epochs=1, seed=42, setting=setting),
            )

    def frozen(self) -> None:
        """Print the first run, the run with cached features, and fastai's single epoch, in turn."""
        first, cached, rival = [], [], []
        for number in range(ROUNDS):
            first.append(self.ours(f"first-{number}", epochs=0, seed=42, cache=f"cache-{number}"))
            _say("first run", first[-1])
            cached.append(self.ours(f"cached-{number}", epochs=0, seed=42, cache=f"cache-{number}"))
            _say("from the cache", cached[-1])
            rival.append(self.fastai(f"first-{number}", epochs=1, seed=42))
            _say("fastai", rival[-1])
        _say_ratios(first, rival)

    def tuned(self) -> None:
        """Print fine-tuning and fastai's, seed by seed, and the means."""
        ours, rival = [], []
        for seed in SEEDS:
            ours.append(self.ours(f"tuned-{seed}", epochs=4, seed=seed, cache="cache"))
            _say(f"seed {seed}", ours[-1])
            rival.append(self.fastai(f"tuned-{seed}", epochs=4, seed=seed))
            _say("fastai", rival[-1])
        for name, runs in (("ours, mean", ours), ("fastai, mean", rival)):
            _say(name, Came(*(mean(values) for values in zip(*runs, strict=True))))
        _say_ratios(ours, rival)

    def flips(self) -> None:
        """Print how many wrong labels are among the most suspicious images."""
        labelled = load_pictures(FLOWERS, say=print, cache=self._folder)
        values = compute_features(load_pretrained(str(WEIGHTS), labelled.labels), labelled, cache=self._folder).values
        together = find_leak_groups(labelled, say=print)
        split = make_split(labelled, together, valid=20, test=10, seed=42, remembered={})
        count, classes = len(labelled.examples), len(labelled.labels)
        shares = []
        for seed in range(10):
            dice = np.random.default_rng(seed)
            turned = dice.permutation(count)[: round(TURNED * count)]
            targets = labelled.targets.copy()
            targets[turned] = (targets[turned] + dice.integers(1, classes, len(turned))) % classes
            strength = solve_head.solve_head(Features(values), targets, split, classes).strength
            predictions, _ = solve_head.predict_out_of_fold(values, targets, split.groups, classes, strength=strength)
            losses = -np.log(predictions[np.arange(count), targets])
            worst = np.argsort(-losses)[: round(LOOKED_AT * count)]
            shares.append(float(np.isin(turned, worst).mean()))
        print(f"found {mean(shares):.0%} of {len(turned)}, {min(shares):.0%} to {max(shares):.0%} by seed")
        print(f"by chance {LOOKED_AT:.0%}", flush=True)


def once(asked: dict[str, Any]) -> None:
    """Train, and print the seconds without imports."""
    page = load_train_script()
    options = TrainingOptions(
        FLOWERS,
        model=str(WEIGHTS),
        out=Path(asked["out"]),
        epochs=asked["epochs"],
        seed=asked["seed"],
        cache=Path(asked["cache"]),
        cpu=True,
    )
    began, worked = time.monotonic(), _used()
    page(options, NoProgress())
    print(json.dumps([time.monotonic() - began, _used() - worked]))


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _said(*command: str) -> Any:
    """Run a program and read the JSON of its last line."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(f"{' '.join(command[:2])} failed:\n{ran.stderr[-3000:]}")
    return json.loads(ran.stdout.strip().splitlines()[-1])


def _say(name: str, run: Came) -> None:
    print(f"{name:16} {run}", flush=True)


def _say_ratios(ours: list[Came], rival: list[Came]) -> None:
    """Print how many times as long fastai takes: per round, and by CPU time."""
    for name in ("seconds", "cpu"):
        turns = [getattr(b, name) / getattr(a, name) for a, b in zip(ours, rival, strict=True)]
        print(f"fastai's {name} / ours: {', '.join(f'{turn:.1f}×' for turn in turns)}", flush=True)


def main() -> None:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("which", nargs="*", default=["frozen", "flips", "tuned"])
    parser.add_argument("--rivals-python", default=sys.executable, help="interpreter with fastai")
    parser.add_argument("--tune", action="store_true", help="only compare settings of fastai")
    parser.add_argument("--once", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.once:
        once(json.loads(options.once))
        return
    if not FLOWERS.is_dir():
        sys.exit(f"{FLOWERS} does not exist: there are no images to train with")
    for which in ["tune"] if options.tune else options.which:
        print(f"{which}: {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before", flush=True)
        with tempfile.TemporaryDirectory(prefix="harvest-training-") as folder:
            getattr(Bench(Path(folder), options.rivals_python), which)()


if __name__ == "__main__":
    main()
