"""Harvest two classes from two sources over a realistic network: harvest and icrawler, FastClass's engine.

    python tests/bench/engines.py --rivals-python /path/to/venv/bin/python

The network is the test Internet in a process of its own: every response begins after 300 ms, 2 % of the
requested images stall, 5 % are gone. icrawler runs as in FastClass: one source after the other, four
downloader threads, its own feeders, parsers, timeouts and retries. No program pauses between pages.

The bench removes two obstacles for icrawler. Its Bing parser needs JSON without spaces, and the test Internet
writes them. And it requests the sizes of every Flickr photo, a call that the test Internet does not have; the
last line is the time without these requests.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.internet.flickr import BASE
from tests.internet.internet_process import InternetProcess
from tests.internet.proxy_server import Answer
from tests.web import NetworkConditions

if TYPE_CHECKING:
    from tests.internet.proxy_server import Request
    from tests.web import Internet

CLASSES = {"coral_snake": "micrurus tener", "king_snake": "scarlet king snake"}
HITS = int(os.environ.get("BENCH_HITS", "200"))  # per query and source; passed to the other process too
GOAL = 8

HARVEST = """
from harvest.cli import main
from harvest.providers.bing import Bing
from harvest.providers.flickr import Flickr

Bing.pace = Flickr.pace = 0.0
main()
"""

ICRAWLER = """
import json, logging, sys
from icrawler.builtin import BingImageCrawler, FlickrImageCrawler
from icrawler.builtin.bing import BingParser
from icrawler.builtin.flickr import FlickrParser

class Bing(BingParser):
    def parse(self, response):
        text = response.content.decode().replace("&quot;: &quot;", "&quot;:&quot;").replace('": "', '":"')
        response._content = text.encode()
        return super().parse(response)

class Flickr(FlickrParser):
    def parse(self, response, apikey, size_preference=None):
        for photo in json.loads(response.content)["photos"]["photo"]:
            yield dict(file_url=photo["url_l"], meta=photo)

queries, hits, out, key, sizes = json.loads(sys.argv[1])
for name, query in queries.items():
    common = dict(downloader_threads=4, storage={"root_dir": f"{out}/{name}"}, log_level=logging.CRITICAL)
    BingImageCrawler(parser_cls=Bing, **common).crawl(keyword=query, max_num=hits)
    flickr = FlickrImageCrawler(key, parser_cls=FlickrParser if sizes else Flickr, **common)
    flickr.crawl(text=query, max_num=hits, min_size=(200, 200), file_idx_offset="auto", extras="url_l")
"""


def web(internet: Internet) -> None:
    """Fill the listings and set the network conditions."""
    for query in CLASSES.values():
        internet.bing.shows(query, HITS)
        internet.flickr.shows(query, HITS)
    internet.conditions = NetworkConditions(latency=0.3, stalls=0.02, dead=0.05)
    internet.sites[internet.flickr.host] = partial(_flickr, internet)


def _flickr(internet: Internet, request: Request) -> Answer:
    """Answer getSizes, a call that harvest never makes, and leave everything else to Flickr."""
    if request.fields.get("method") != "flickr.photos.getSizes":
        return internet.flickr.answer(request)
    listing = internet.catalogue.numbered(int(request.fields["photo_id"]) - BASE)
    sizes = {"size": [{"label": "Large", "source": listing.url}] if listing else []}
    return Answer(json.dumps({"sizes": sizes, "stat": "ok"}).encode(), kind="application/json")


def harvest(root: Path, internet: Internet) -> tuple[float, int]:
    """Run the command, and return the seconds it took and the number of images."""
    rows = "".join(f"{name},{query}\n" for name, query in CLASSES.items())
    (root / "snakes.csv").write_text(f"class,query\n{rows}", "utf-8")
    line = f"-c BING -c FLICKR -p snakes.csv -s 500 -m {HITS} -q".split()
    environ = {**internet.environ, "FLICKR_API_KEY": internet.flickr.key}
    return _timed([sys.executable, "-c", HARVEST, *line], root, environ), _files(root / "dataset")


def icrawler(root: Path, internet: Internet, python: str, *, sizes: bool) -> tuple[float, int]:
    """Run icrawler for the same job, with or without a call for the sizes of every Flickr photo."""
    out = root / f"icrawler-{sizes}"
    arguments = json.dumps([CLASSES, HITS, str(out), internet.flickr.key, sizes])
    return _timed([python, "-c", ICRAWLER, arguments], root, internet.environ), _files(out)


def _timed(command: list[str], folder: Path, environ: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, env={**os.environ, **environ}, check=True)
    return time.perf_counter() - begun


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.jpg"))


def main() -> None:
    """Run both, and print their times and results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rivals-python", default=sys.executable, help="interpreter with icrawler")
    python = parser.parse_args().rivals_python
    print(f"{len(CLASSES)} classes from 2 sources, {HITS} hits each")
    with tempfile.TemporaryDirectory() as temporary, InternetProcess(web) as internet:
        root = Path(temporary)
        ours, pictures = harvest(root, internet)
        print(f"  harvest             {ours:6.1f} s  {pictures:5} images", flush=True)
        for name, sizes in (("icrawler", True), ("  without sizes", False)):
            seconds, pictures = icrawler(root, internet, python, sizes=sizes)
            print(f"  {name:<18}  {seconds:6.1f} s  {pictures:5} images  {seconds / ours:5.1f}x our time")
    print(f"  goal: {GOAL}x")


if __name__ == "__main__":
    from tests.bench import engines  # by its full name, under which the other process finds `web`

    engines.main()
