"""Ray workers against the local pool, more workers on a slow web, and the driver alone, up to a million hits.

    python tests/bench/scale.py [local] [slow] [driver] [growth] [--images 1500] [--slow 2000] [--hits 1000000]

Each line has the ratio, the goal and what was measured. The small Internet runs in a process of its own, on the same
cores as everything else. `fetch.py --sink shards` compares with img2dataset.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

import harvest
from harvest import Query
from harvest.distributed import ray_cluster
from tests.distributed.many_domains import list_on_many_domains
from tests.internet.internet_process import InternetProcess
from tests.internet.network_conditions import NetworkConditions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.harvesting.summary import Summary
    from tests.web import Internet

HOSTS = 2000
DRIVER = Path(__file__).with_name("scale_driver.py")


def quick_web(internet: Internet) -> None:
    """List many images on many hosts that answer at once."""
    list_on_many_domains(internet, "quick", int(os.environ["BENCH_IMAGES"]), hosts=HOSTS, size=(640, 480))


def slow_web(internet: Internet) -> None:
    """List images on hosts that take 300 ms."""
    list_on_many_domains(internet, "slow", int(os.environ["BENCH_SLOW"]), hosts=HOSTS)
    internet.conditions = NetworkConditions(latency=0.3)


@contextmanager
def cluster(internet: Internet, workers: int) -> Iterator[None]:
    """Start Ray with so many idle processes, before the clock runs."""
    os.environ.update(internet.environ)
    with ray_cluster.open_cluster(None, workers):
        yield


class Sample(NamedTuple):
    """What a run had done at a moment."""

    settled: int
    time: float
    cpu: dict[int, float]  # seconds, by process


class Rate(NamedTuple):
    """The speed of one run, from its first image on."""

    by_wall: float  # images a second
    by_cpu: float  # images a second of CPU of all our processes, without the small Internet


def run(internet: InternetProcess, workers: str, count: int, jobs: int, share: float = 1) -> Rate:
    """Harvest images of the small Internet, or the first share of them, into folders."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(internet.environ)
        urls = [internet.catalogue.numbered(number + 1).url for number in range(int(share * len(internet.catalogue)))]
        (Path(folder) / "urls.txt").write_text("\n".join(urls), "utf-8")
        samples: list[Sample] = []

        def progress(summary: Summary) -> None:
            settled = summary.total().settled
            if settled and (not samples or settled > samples[-1].settled):  # at the end, the workers are gone
                samples[1:] = [Sample(settled, time.monotonic(), cpu_by_process(internet.pid))]

        summary = harvest.harvest(
            [Query(str(Path(folder) / "urls.txt"), "all")],
            "URLS",
            Path(folder) / "dataset",
            workers=workers,
            ray_workers=count,
            connections=jobs,
            obey_opt_out=False,
            obey_robots=False,  # one request for an image
            limit=len(urls),
            progress=progress,
        )
        assert summary.total().settled == len(urls), summary.as_json()
    first, last = samples
    images = last.settled - first.settled
    cpu = sum(seconds - first.cpu.get(process, 0.0) for process, seconds in last.cpu.items())
    return Rate(images / (last.time - first.time), images / cpu)


def cpu_by_process(besides: int) -> dict[int, float]:
    """Return the CPU seconds of each process of this session, without one and without those that ended."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == os.getsid(0) and int(path.parent.name) != besides:
                found[int(path.parent.name)] = sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return found


def measure_local(setup: object, rounds: int) -> None:
    """Compare four Ray workers with the local pool, in turns."""
    with InternetProcess(setup) as internet, cluster(internet, 4):
        pairs = [(run(internet, "local", 4, 32), run(internet, "ray", 4, 8)) for _ in range(rounds)]
    local, ray = (Rate(*map(median, zip(*each, strict=True))) for each in zip(*pairs, strict=True))
    for name, by in (("wall", 0), ("CPU", 1)):
        ratios = [ray[by] / local[by] for local, ray in pairs]
        each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        speeds = f"{ray[by]:.0f} and {local[by]:.0f} images/s; turns: {each}"
        say(f"4 Ray workers to the local pool, by {name}", median(ratios), "0.9", speeds)


def measure_slow(setup: object) -> None:
    """Compare eight workers with one, each with one connection; the one gets an eighth of the images."""
    with InternetProcess(setup) as internet, cluster(internet, 8):
        one, eight = (run(internet, "ray", count, 1, count / 8).by_wall for count in (1, 8))
        count = len(internet.catalogue)
    say("8 workers to 1, 300 ms a request", eight / one, "7", f"{eight:.2f} and {one:.2f} images/s; {count:,} images")


def measure_driver(hits: int, distinct: int) -> dict[str, float]:
    """Run the driver alone, and print its rate and what it needs."""
    command = [sys.executable, str(DRIVER), str(hits), "--distinct", str(distinct)]
    got = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    rates = f"{got['hits'] / got['wall']:,.0f} a second, {got['hits'] / got['cpu']:,.0f} a second of CPU"
    sizes = f"{got['wall']:.0f} s, memory {got['memory'] / 1e6:,.0f} MB, ledger {got['ledger'] / 1e6:,.0f} MB"
    print(f"driver alone, {hits:,} hits, {distinct:,} distinct images: {rates}; {sizes}", flush=True)
    return got


def measure_growth(hits: int) -> None:
    """Compare a tenth of the hits with all of them."""
    tenth, whole = measure_driver(hits // 10, 1000), measure_driver(hits, 1000)
    say(
        "ten times the hits, by CPU",
        whole["cpu"] / tenth["cpu"],
        "at most 11",
        f"wall {whole['wall'] / tenth['wall']:.1f}",
    )
    say("peak memory in GB", whole["memory"] / 1e9, "below 2", f"{hits:,} hits")


def say(name: str, ratio: float, goal: str, measured: str) -> None:
    """Print a result with its goal."""
    print(f"{name}: {ratio:.2f} (goal {goal}); {measured}", flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("parts", nargs="*", help="local, slow, driver, growth; all by default")
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--slow", type=int, default=2000)
    parser.add_argument("--hits", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with suppress(PermissionError):  # it leads one already
        os.setsid()
    parts = options.parts or ["local", "slow", "driver", "growth"]
    os.environ.update(BENCH_IMAGES=str(options.images), BENCH_SLOW=str(options.slow))
    setups = import_module("tests.bench.scale")  # under a name by which the other process finds it
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    if "driver" in parts:
        measure_driver(30_000, 1000)
        measure_driver(30_000, 30_000)
    if "local" in parts:
        measure_local(setups.quick_web, options.rounds)
    if "slow" in parts:
        measure_slow(setups.slow_web)
    if "growth" in parts:
        measure_growth(options.hits)


if __name__ == "__main__":
    main()
