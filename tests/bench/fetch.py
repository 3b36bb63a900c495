"""Measure images per second, from URLs to files: harvest, img2dataset and a minimal program.

    python tests/bench/fetch.py --rivals-python /path/to/venv/bin/python

All download the same 2.5-megapixel JPEGs of 0.4 MB from the same hosts on loopback, and write JPEGs of 500
pixels and quality 90. harvest also finds duplicates, flushes every file and writes its ledger. With `--small`,
the JPEGs have 640 x 480 pixels and 57 kB.

* steady: images per second by the clock of the hosts, without those at either end
* CPU: milliseconds of a core for each of these images; the figure to use on a shared machine
* whole: seconds of the whole command, from its start to its end
* the floor: two threads decode at a scale that JPEG offers and encode, one loop downloads with plain aiohttp;
  nothing is checked, resized, hashed or written. The nearest scale for 500 pixels is a half, so the floor
  encodes images 960 pixels wide; `floor at 500` takes every other pixel first, in almost no time: the least
  that a program needs that writes 500 pixels.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.hosts import Hosts, inner
from tests.internet.drawing import LARGE

if TYPE_CHECKING:
    from collections.abc import Mapping

# Processes, threads per process, shards: the best of those in TRIED on two cores.
BEST = (2, 32, 4)
SMALL = (640, 480)
TRIED = [(2, 16, 2), (2, 32, 2), (2, 32, 4), (2, 64, 4), (3, 16, 3), (4, 16, 4)]

FLOOR = """
import asyncio, io, sys
from concurrent.futures import ThreadPoolExecutor
import aiohttp
from PIL import Image

def develop(body):
    image = Image.open(io.BytesIO(body))
    image.draft("RGB", (500, 500))
    if sys.argv[2] == "500":
        image = image.resize((500, round(500 * image.height / image.width)), Image.Resampling.NEAREST)
    image.save(io.BytesIO(), "JPEG", quality=90)

async def main():
    urls, threads = iter(open(sys.argv[1]).read().split()), ThreadPoolExecutor(2)
    async def work():
        for url in urls:
            async with session.get(url) as answer:
                body = await answer.read()
            await asyncio.get_running_loop().run_in_executor(threads, develop, body)
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(work() for _ in range(8)))

asyncio.run(main())
"""


class Run(NamedTuple):
    """The result of one run of one program."""

    steady: float  # images per second
    cpu: float  # ms per image
    whole: float  # seconds


class Bench:
    """A folder with the list of URLs, and the hosts that serve them."""

    def __init__(self, folder: Path, hosts: Hosts, pictures: int, rivals: str, *, sink: str, their_format: str) -> None:
        self._folder = folder
        self._hosts = hosts
        self._pictures = pictures
        self._rivals = rivals
        self._sink = [] if sink == "folders" else ["--sink", sink]
        self._their_format = their_format
        self._runs = 0
        (folder / "urls.txt").write_text("\n".join(hosts.urls) + "\n", "utf-8")
        (folder / "queries.csv").write_text("class,query\npictures,urls.txt\n", "utf-8")

    def harvest(self) -> Run:
        """Run the command that a user would."""
        options = f"-c URLS -p -s 500 -m {self._pictures} -o out-{self._runs} --allow-private -q"
        return self._run([sys.executable, "-m", "harvest", "queries.csv", *options.split(), *self._sink])

    def img2dataset(self, setting: tuple[int, int, int]) -> Run:
        """Run img2dataset with this many processes, threads per process, and shards."""
        processes, threads, shards = setting
        options = {
            "url_list": "urls.txt",
            "output_folder": f"out-{self._runs}",
            "output_format": self._their_format,
            "image_size": 500,
            "resize_mode": "keep_ratio_largest",
            "resize_only_if_bigger": True,
            "encode_quality": 90,
            "processes_count": processes,
            "thread_count": threads,
            "number_sample_per_shard": -(-self._pictures // shards),
        }
        command = [self._rivals, "-c", "from img2dataset.main import main; main()"]
        return self._run([*command, *(f"--{name}={value}" for name, value in options.items())])

    def floor(self, size: str) -> Run:
        """Run the minimal program."""
        return self._run([sys.executable, "-c", FLOOR, "urls.txt", size])

    def _run(self, command: list[str]) -> Run:
        self._runs += 1
        begun, spent = time.monotonic(), []
        with (self._folder / "said").open("w+b") as messages:
            running = subprocess.Popen(
                command, cwd=self._folder, env=self._environ(), stdout=messages, stderr=messages, start_new_session=True
            )
            while running.poll() is None:
                spent.append((time.monotonic(), _spent(running.pid)))
                time.sleep(0.1)
            whole = time.monotonic() - begun
            times = self._hosts.departures()
            if running.returncode or len(times) != self._pictures:
                messages.seek(0)
                sys.exit(f"{len(times)} images were sent; {messages.read().decode()[-2000:]}")
        some = inner(times)
        first, last = np.interp((some[0], some[-1]), *zip(*spent, strict=True))
        return Run(len(some) / (some[-1] - some[0]), 1000 * (last - first) / len(some), whole)

    def _environ(self) -> Mapping[str, str]:
        """Return the environment without proxies, and with an empty cache: each run asks each host for its rules."""
        environ = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        return environ | {"XDG_CACHE_HOME": str(self._folder / f"cache-{self._runs}")}


def _spent(session: int) -> float:
    """Return the CPU seconds of a session so far, including its ended processes."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run all programs in turn, several times, and print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals-python", default=sys.executable, help="interpreter with img2dataset")
    parser.add_argument("--tune", action="store_true", help="only compare settings of img2dataset")
    parser.add_argument("--small", action="store_true", help="images of 640 x 480 pixels")
    parser.add_argument("--without-floor", action="store_true", help="only harvest and img2dataset")
    parser.add_argument("--sink", choices=["folders", "shards"], default="folders", help="what harvest writes")
    parser.add_argument("--their-format", choices=["files", "webdataset"], default="files", help="img2dataset's")
    options = parser.parse_args()
    print(f"{options.pictures:,} images, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    size = SMALL if options.small else LARGE
    with tempfile.TemporaryDirectory(prefix="harvest-fetch-") as folder, Hosts(options.pictures, size) as hosts:
        form = {"sink": options.sink, "their_format": options.their_format}
        bench = Bench(Path(folder), hosts, options.pictures, options.rivals_python, **form)
        if options.tune:
            for setting in TRIED:
                _say(
                    "img2dataset {} processes, {} threads, {} shards".format(*setting),
                    bench.img2dataset(setting),
                )
            return
        floors = {"floor": lambda: bench.floor("any"), "floor at 500": lambda: bench.floor("500")}
        programs = {
            **({} if options.without_floor else floors),
            "harvest": bench.harvest,
            "img2dataset": lambda: bench.img2dataset(BEST),
        }
        rounds = []
        for _ in range(options.rounds):
            rounds.append({name: program() for name, program in programs.items()})
            for name, run in rounds[-1].items():
                _say(name, run)
            print(flush=True)
    _say_ratios(rounds)


def _say(name: str, run: Run) -> None:
    print(
        f"{name:14} {run.steady:6.1f} images/s steady  {run.cpu:5.1f} ms CPU  {run.whole:6.1f} s whole",
        flush=True,
    )


def _say_ratios(rounds: list[dict[str, Run]]) -> None:
    """Print the medians of all rounds."""

    def ratio(name: str, other: str, of: str) -> float:
        return median(getattr(each[name], of) / getattr(each[other], of) for each in rounds)

    print("                             steady   by CPU   goal")
    goals = (("img2dataset", "1.4 with folders, 1.3 with shards"), ("floor", "0.6"), ("floor at 500", ""))
    for other, goal in goals:
        if other not in rounds[0]:
            continue
        steady, cpu = ratio("harvest", other, "steady"), ratio(other, "harvest", "cpu")
        print(f"  ours to {other:<18}   {steady:5.2f}x   {cpu:5.2f}x   {goal}")
    print(f"  whole, img2dataset's to ours {ratio('img2dataset', 'harvest', 'whole'):5.2f}x            2")


if __name__ == "__main__":
    main()
