"""Compare pretrained networks on 600 photographs of five flowers, and measure "none of these".

    python tests/bench/learning.py [frozen] [tuned] [unknown]

* frozen: `--epochs 0` with lite0 and with MobileNetV2: accuracy over five splits, and the CPU time of the features
* tuned: `--epochs 4` with both, on two splits
* unknown: a classifier of flowers is given images of kitchens and of clothes. How many does it call none of these,
  how many would a threshold on the highest probability with the same share of accepted flowers, and what does it
  cost per image?

Accuracy is on the test split. Images and weights are those of ../shared/data; without them the bench says so and ends.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.models import Refusal
from harvest.training.head.logistic_regression import FeatureSpace
from harvest.training.head.out_of_fold_predictions import STRENGTH
from harvest.training.head.training_set import TrainingSet, assign_folds
from harvest.training.predictor import Predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
FLOWERS, MOBILENET = DATA / "flowers", DATA / "mobilenet_v2"
NETWORKS = {"lite0": "lite0", "MobileNetV2": str(MOBILENET)}
SEEDS = (42, 43, 44, 45, 46)
TIMES, FOLDS = 10, 5
BATCH, ROUNDS = 32, 9
ACCEPT = 0.95


def train(folder: Path, model: str, *, epochs: int, seed: int = 42, more: Sequence[str] = ()) -> tuple[Path, str]:
    """Train in a process of its own; return the run and what was printed."""
    out = folder / f"{Path(model).name}-{epochs}-{seed}"
    line = [sys.executable, str(ROOT / "train.py"), str(FLOWERS), "--model", model, "--epochs", str(epochs)]
    line += ["--seed", str(seed), "--out", str(out), "--cache", str(folder / "cache"), *more]
    # Each run makes its own split: none is read from an earlier one.
    done = subprocess.run(line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return out, done.stdout.decode()


def accuracies(run: Path) -> tuple[float, float]:
    """Return the accuracy of the saved network on valid and on test."""
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text("utf-8"))
    parts = metrics["candidates"][metrics["saved"]]
    return parts["valid"]["accuracy"], parts["test"]["accuracy"]


def frozen(folder: Path) -> None:
    """Compare the heads on frozen features over several splits, and the CPU time of the features.

    The runs share a cache, so that only the first one computes features: it takes that much longer than the others.
    """
    print("frozen features, five splits")
    for name, model in NETWORKS.items():
        runs, seconds = [], []
        for seed in SEEDS:
            began = children_seconds()
            runs.append(train(folder, model, epochs=0, seed=seed)[0])
            seconds.append(children_seconds() - began)
        test = [accuracies(run)[1] for run in runs]
        valid = [accuracies(run)[0] for run in runs]
        features = (seconds[0] - median(seconds[1:])) / len(paths(FLOWERS))
        print(
            f"  {name:12} test {mean(test):.1%} ± {stdev(test):.1%}  valid {mean(valid):.1%}  "
            f"features {features * 1000:.1f} ms of CPU per image  [{' '.join(f'{each:.1%}' for each in test)}]",
            flush=True,
        )
        repeated = cross_validate(runs[0])
        print(f"  {'':12} ten times in five folds {mean(repeated):.1%} ± {stdev(repeated):.1%}", flush=True)


def cross_validate(run: Path) -> list[float]:
    """Return the accuracy on all images, each predicted by a head that was fitted on other folds, ten times.

    It is steadier than the test splits, which have 60 images: one image is 1.7 %.
    """
    features = np.load(run / "features.npy").astype(np.float32)
    with (run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        names = [row["label"] for row in csv.DictReader(file)]
    targets, images = np.unique(names, return_inverse=True)[1], np.arange(len(names))
    space = FeatureSpace.of(features)
    training_set = TrainingSet(space, images, targets, images, len(set(names)))
    found = []
    for seed in range(TIMES):
        fold = assign_folds(images, targets, len(set(names)), FOLDS, seed=seed)
        right = 0
        for number in range(FOLDS):
            solution = training_set.fit_subset(fold != number, STRENGTH)
            held_out = np.flatnonzero(fold == number)
            if solution:
                right += int((solution.probabilities(space.rows[held_out]).argmax(axis=1) == targets[held_out]).sum())
        found.append(right / len(names))
    return found


def tuned(folder: Path) -> None:
    """Compare the fine-tuned networks on two splits."""
    print("fine-tuned, four epochs, two splits")
    for name, model in NETWORKS.items():
        began = children_seconds()
        runs = [train(folder, model, epochs=4, seed=seed)[0] for seed in SEEDS[:2]]
        seconds = (children_seconds() - began) / len(runs)
        valid, test = (mean(values) for values in zip(*map(accuracies, runs), strict=True))
        print(f"  {name:12} test {test:.1%}  valid {valid:.1%}  {seconds:.0f} s of CPU per run", flush=True)


def children_seconds() -> float:
    """Return the CPU time of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def unknown(folder: Path) -> None:
    """Measure what is refused as none of these, and the time per image."""
    run, _ = train(folder, "lite0", epochs=0, more=["--export", "onnx"])
    predictor = Predictor.open(run, accept=ACCEPT)
    flowers = highest(predictor, FLOWERS)
    threshold = float(np.quantile(flowers, 1 - ACCEPT))
    print(f"none of these, at {ACCEPT:.0%} accepted ({predictor.engine})")
    for other in ("kitchen", "clothing"):
        answers = [each for each in predictor.predict(paths(DATA / other)) if not isinstance(each, Refusal)]
        refused = mean(not each.is_known for each in answers)
        by_probability = mean(each[0].probability < threshold for each in answers)
        print(
            f"  {other:9} {len(answers)} images: {refused:.1%} refused; by the highest probability {by_probability:.1%}"
        )
    views = [view for view in map(predictor.prepare, paths(FLOWERS)[:BATCH]) if not isinstance(view, Refusal)]
    (run / "reference.safetensors").unlink()
    plain = Predictor.open(run, prefer_onnx=False)
    whole = Predictor.open(train(folder, "lite0", epochs=0, seed=43)[0], prefer_onnx=False)
    times: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(ROUNDS):
        for name, each in (("with", whole), ("without", plain)):
            began = time.process_time()
            each.predict_batch(views)
            times[name].append(time.process_time() - began)
    seconds = {name: median(values) / len(views) for name, values in times.items()}
    print(
        f"  CPU per image with it {seconds['with'] * 1000:.2f} ms, without {seconds['without'] * 1000:.2f} ms: "
        f"{seconds['with'] / seconds['without']:.3f} ×"
    )


def highest(predictor: Predictor, folder: Path) -> list[float]:
    """Return the highest probability of each image."""
    return [each[0].probability for each in predictor.predict(paths(folder)) if not isinstance(each, Refusal)]


def paths(folder: Path) -> list[Path]:
    """Return the images of a folder, of any depth."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg", ".png"})


def main() -> None:
    """Run the parts that are named, or all."""
    if not FLOWERS.exists():
        sys.exit(f"{DATA} is missing: there are no images to measure on")
    parts = {"frozen": frozen, "tuned": tuned, "unknown": unknown}
    with tempfile.TemporaryDirectory(prefix="learning-") as folder:
        for name in sys.argv[1:] or parts:
            parts[name](Path(folder))


if __name__ == "__main__":
    main()
