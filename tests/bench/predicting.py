"""Measure the prediction of an image with ONNX and with torch, and of parallel requests to the service.

    python tests/bench/predicting.py [RUN]

RUN is a run directory; the default is MobileNetV2 in ../shared/data. First the network alone is timed on decoded
images, one at a time and in batches, both engines in turn; then the way from files to labels, and the whole
command. The service receives requests from one client, then from 16 at the same time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))
from harvest.training.inference.model_export import export_model
from harvest.training.network.network_with_classes import open_trained_network
from harvest.training.predictor import BATCH, Predictor
from tests.pictures import photo

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
ROUNDS, CROWD, ASKED = 40, 16, 160


def turns(judges: dict[str, Predictor], views: list[np.ndarray]) -> dict[str, list[float]]:
    """Time both engines in turn, in milliseconds per image."""
    spent: dict[str, list[float]] = {name: [] for name in judges}
    for predictor in judges.values():
        predictor.predict_batch(views)
    for _ in range(ROUNDS if len(views) == 1 else ROUNDS // 8):
        for name, predictor in judges.items():
            began = time.perf_counter()
            predictor.predict_batch(views)
            spent[name].append((time.perf_counter() - began) * 1000 / len(views))
    return spent


def compare(title: str, spent: dict[str, list[float]]) -> None:
    """Print medians, and the ratio of each round."""
    onnx, torch = (statistics.median(spent[name]) for name in ("onnx", "torch"))
    ratio = statistics.median(slow / fast for fast, slow in zip(spent["onnx"], spent["torch"], strict=True))
    print(f"{title:<34}{onnx:>9.1f} ms{torch:>9.1f} ms{ratio:>8.1f} x")


def whole_way(judges: dict[str, Predictor], pictures: list[Path]) -> dict[str, list[float]]:
    """Time the way from files to labels, in milliseconds per image."""
    spent: dict[str, list[float]] = {name: [] for name in judges}
    for _ in range(5):
        for name, predictor in judges.items():
            began = time.perf_counter()
            predictor.predict(pictures, top=5)
            spent[name].append((time.perf_counter() - began) * 1000 / len(pictures))
    return spent


def command(run: Path, picture: Path, *, without: str | None) -> float:
    """Time `harvest predict` of one image, from start to exit."""
    hidden = (run / without).rename(run / "aside") if without else None
    try:
        best = []
        for _ in range(3):
            began = time.perf_counter()
            line = [sys.executable, "-m", "harvest", "predict", str(run), str(picture)]
            subprocess.run(line, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            best.append(time.perf_counter() - began)
    finally:
        if hidden:
            hidden.rename(run / without)
    return min(best)


def crowd(run: Path, body: bytes) -> tuple[float, float]:
    """Return the seconds for this many requests, sent by one client, and by many at the same time."""
    line = [sys.executable, "-m", "harvest", "serve", str(run), "--port", "0"]
    service = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert service.stdout
        url = service.stdout.readline().split()[-1]

        def ask(count: int) -> None:
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                for _ in range(count):
                    client.post("/classify", content=body).raise_for_status()

        ask(10)
        seconds = []
        for programs in (1, CROWD):
            began = time.perf_counter()
            with ThreadPoolExecutor(programs) as threads:
                list(threads.map(ask, [ASKED // programs] * programs))
            seconds.append(time.perf_counter() - began)
    finally:
        service.terminate()
        service.wait()
    return seconds[0], seconds[1]


def main() -> None:
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else DATA / "mobilenet_v2"
    if not source.is_dir():
        sys.exit(f"{source} does not exist: pass a run directory")
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        run.mkdir()
        network = open_trained_network(source)
        network.save(run)
        export_model(network, run, ["onnx"])
        judges = {"onnx": Predictor.open(run), "torch": Predictor.open(run, prefer_onnx=False)}
        assert [judge.engine for judge in judges.values()] == list(judges)
        pictures = sorted((DATA / "flowers").glob("*/*.jpg"))[:64]
        if not pictures:
            pictures = [Path(folder) / f"{number}.jpg" for number in range(64)]
            for number, path in enumerate(pictures):
                photo(500, 333, number).save(path)
        views = [judges["onnx"].prepare(path) for path in pictures[:BATCH]]

        print(f"{'an image, ' + str(network.size) + ' px':<34}{'onnx':>12}{'torch':>12}{'ratio':>10}")
        compare("the network, one at a time", turns(judges, views[:1]))
        compare(f"the network, {BATCH} together", turns(judges, views))
        compare("file to labels, 64 files", whole_way(judges, pictures))
        fast, slow = command(run, pictures[0], without=None), command(run, pictures[0], without="model.onnx")
        print(f"{'the whole command':<34}{fast:>9.2f} s {slow:>9.2f} s {slow / fast:>8.1f} x")
        alone, together = crowd(run, pictures[0].read_bytes())
        print(
            f"the service, {ASKED} requests: {ASKED / alone:.0f} a second one after the other, "
            f"{ASKED / together:.0f} a second with {CROWD} at a time: {alone / together:.1f} x"
        )


if __name__ == "__main__":
    main()
