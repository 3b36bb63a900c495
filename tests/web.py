"""A test Internet on loopback: search engines, open archives, and image hosts with every kind of behaviour.

It is an HTTP proxy with its own CA. A program reaches it under the real host names by the usual environment
variables, HTTPS_PROXY and SSL_CERT_FILE, and is not altered for the test:

    def test_a_run(internet, cli):
        corals = internet.bing.add_results("micrurus tener -king", 40, dead=3, html=2, changed=4)
        kings = internet.flickr.add_results("scarlet king snake", 20, size=(640, 480))
        internet.bing.set_mode("limited", after=1, times=1)
        run = cli("-c", "BING", "-c", "FLICKR", "-p", "snakes.csv", FLICKR_API_KEY=internet.flickr.key)
        assert run.code == 0, run.err
        assert internet.expected(corals, kings) == {"new": 51, "dup": 4, "dead": 3, "bad": 2}
        assert internet.log.count(corals[0].url) == 1
        assert internet.log.most_at_once["img3.pictures.test"] <= 4
        assert not internet.log.to("127.0.0.1")

Contents:

* `internet.bing`, `internet.flickr`: `add_results(query, count, **kinds)` adds and returns a result list;
  `set_mode(mode, after=, times=)` sets the mode (`limited`, `down`, `forbidden`, `hiccup`, `stalled`, `bloated`,
  `slow`, and those of `Bing.modes` and `Flickr.modes`), `reset_mode()` ends it. A query without a result list has
  no results. With `internet.bing.never_ends = True` Bing repeats its last page forever, as the real one does.
  Flickr accepts `internet.flickr.key`, and checks signatures against `internet.flickr.secret`.
* `internet.openverse`, `internet.commons`, `internet.inaturalist`, `internet.gbif`: the same, with the modes
  of `Archive.modes` and their own. Openverse has one client; Commons requires a contact in the User-Agent, and
  `add_results("category:NAME", …)` fills a category; a result list of iNaturalist or GBIF is a taxon of that name.
* `internet.google` (the page that programs seldom get; `saved(result_list)` writes one as a browser saves it),
  `internet.custom_search`, `internet.serpapi`, `internet.serper`, `internet.brave`, `internet.duckduckgo`,
  `internet.baidu`, `internet.naver`, `internet.pexels`, `internet.pixabay`: the same again, each with its modes;
  those that require a key accept `key`, Naver `client_id` and `client_secret`.
* `internet.searxng`: an instance at `internet.searxng.url`; with `has_json = False` it refuses JSON.
* `internet.addresses(count, **kinds)`: a result list of no service, for lists of URLs (`result_list.urls`).
* kinds: every behaviour by its name (`tests.internet.good_hosts`, `tests.internet.bad_hosts`), `changed=` (a changed
  copy, as found on the web), `copy=` (the same bytes on another host), and the other arguments of
  `Catalogue.add_results`: `size=` (`SMALL`, `LARGE` or any), `hosts=`, `scheme=`, `title=`, `licence=`, `also=`
  (listings of another result list).
* a `Listing` has a url, page, title, photo and behaviour, the `body` a good host serves for it, and the `verdict`
  of a correct program.
* `internet.conditions = NetworkConditions(latency=0.3, stalls=0.02, dead=0.05)`, for all requests.
* `internet.log`: `to(host, path)` by patterns (without a path, the documents of hosts are left out), `count(url)`;
  by host `most_at_once`, `most_connections`, `unknown`.
* `internet.documents["img3.pictures.test/robots.txt"] = Answer(…)`: a text that a host has for all programs; every
  other image host answers 404 for its robots.txt and its tdmrep.json.
* `internet.sites["my.test"] = lambda request: Answer(…)`: a site of a test; its body may be a list of bytes, pauses
  in seconds and `End.RESET`.
* Loopback and private addresses answer with a valid image, so that a request to them is noticed. Bing's "related"
  items point to `related.pictures.test`, which must not be requested.

For long runs `tests.internet.internet_process.InternetProcess(setup)` is the same in a process of its own
(`cli.on(process)` directs the command there), and for a shell `python -m tests.web --setup MODULE:FUNCTION` prints
the variables.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakSet

from tests.internet.all_behaviours import BEHAVIOURS
from tests.internet.baidu import Baidu
from tests.internet.bing import Bing
from tests.internet.brave import Brave
from tests.internet.catalogue import Catalogue, Listing, ResultList, expected
from tests.internet.certificate_authority import CertificateAuthority
from tests.internet.commons import Commons
from tests.internet.custom_search import CustomSearch
from tests.internet.drawing import LARGE, SMALL, Photo
from tests.internet.duckduckgo import DuckDuckGo
from tests.internet.flickr import Flickr
from tests.internet.gbif import Gbif
from tests.internet.google import Google
from tests.internet.host_behaviour import picture
from tests.internet.inaturalist import INaturalist
from tests.internet.log import CONTROL, DOCUMENTS, Log
from tests.internet.naver import Naver
from tests.internet.network_conditions import NetworkConditions
from tests.internet.openverse import Openverse
from tests.internet.proxy_server import FOREVER, HEAD_LIMIT, Answer, End, ProxyServer, Request
from tests.internet.searxng import SearXNG
from tests.internet.serpapi import SerpApi
from tests.internet.serper import Serper
from tests.internet.stock_photos import Pexels, Pixabay

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from tests.internet.search import SearchService

    Site = Callable[[Request], Answer]

__all__ = [
    "BEHAVIOURS",
    "LARGE",
    "SMALL",
    "Answer",
    "End",
    "Internet",
    "Listing",
    "NetworkConditions",
    "Photo",
    "ResultList",
]

NOBODY = "nowhere.pictures.test"


class Internet:
    """The test Internet. As a context manager it listens; otherwise it only lists what it would serve."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.bing = Bing(self.catalogue)
        self.flickr = Flickr(self.catalogue)
        self.openverse = Openverse(self.catalogue)
        self.commons = Commons(self.catalogue)
        self.inaturalist = INaturalist(self.catalogue)
        self.gbif = Gbif(self.catalogue)
        self.google = Google(self.catalogue)
        self.custom_search = CustomSearch(self.catalogue)
        self.serpapi = SerpApi(self.catalogue)
        self.serper = Serper(self.catalogue)
        self.brave = Brave(self.catalogue)
        self.duckduckgo = DuckDuckGo(self.catalogue)
        self.baidu = Baidu(self.catalogue)
        self.searxng = SearXNG(self.catalogue)
        self.naver = Naver(self.catalogue)
        self.pexels = Pexels(self.catalogue)
        self.pixabay = Pixabay(self.catalogue)
        self.conditions = NetworkConditions()
        self.log = Log()
        services: tuple[SearchService, ...] = (
            *(self.bing, self.flickr, self.openverse, self.commons, self.inaturalist, self.gbif),
            *(self.google, self.custom_search, self.serpapi, self.brave, self.duckduckgo, self.baidu),
            *(self.searxng, self.serper, self.naver, self.pexels, self.pixabay),
        )
        self.sites: dict[str, Site] = {
            **{service.host: service.answer for service in services},
            CONTROL: lambda _: Answer(json.dumps(self.log.state()).encode(), kind="application/json"),
        }
        self._own: dict[str, Site] = {  # image hosts of the services
            ".staticflickr.com": self.flickr.picture,
            "upload.wikimedia.org": self.commons.picture,
            "static.inaturalist.org": self.inaturalist.picture,
            "inaturalist-open-data.s3.amazonaws.com": self.inaturalist.picture,
        }
        self._domains: dict[str, Site] = {
            ".pictures.test": self._picture,
            **dict.fromkeys(self._own, self._picture),
            ".stories.test": lambda _: Answer(b"<title>A story</title><p>With a picture."),
            ".mm.bing.net": self.bing.thumbnail,
            ".baidu.com": self.baidu.thumbnail,
        }
        self.documents: dict[str, Answer] = {}
        self.port = 0
        self.certificate = Path()  # of its CA, while it listens

    def addresses(self, count: int, name: str = "pictures", /, **kinds: Any) -> ResultList:
        """Put images on their hosts that no service lists; see `Catalogue.add_results` for their kinds."""
        return self.catalogue.add_results(name, count, **kinds)

    def expected(self, *result_lists: ResultList) -> Counter[str]:
        """Count the results of harvesting these result lists under the conditions, by the columns of the summary."""
        return expected(*result_lists, conditions=self.conditions)

    @property
    def proxy(self) -> str:
        """The URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables that direct a program to this Internet."""
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), self.proxy)
        return proxies | dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(self.certificate))

    def knows(self, host: str) -> bool:
        """Return whether a host exists."""
        return host != NOBODY and self._site(host) is not None

    def respond(self, request: Request) -> Answer:
        """Answer a request to a known host, with the latency of the conditions."""
        site = self._site(request.host)
        assert site, request.host
        answer = self.documents.get(request.host + request.route) or site(request)
        latency = 0.0 if request.host == CONTROL else self.conditions.latency
        return replace(answer, wait=answer.wait + latency) if latency else answer

    def _site(self, host: str) -> Site | None:
        if host in self.sites:
            return self.sites[host]
        for domain, site in self._domains.items():
            if host.endswith(domain):
                return site
        return (lambda _: picture(Photo(0))) if _is_private(host) else None

    def _picture(self, request: Request) -> Answer:
        if request.route in DOCUMENTS:
            return Answer(b"<h1>Not Found</h1>", status=404)
        if self.conditions.is_dead(request.url):
            return BEHAVIOURS["dead"].answer(request, Photo(0))
        if self.conditions.is_stalled(request.url, request.attempt):
            return Answer(wait=FOREVER)
        for domain, own in self._own.items():
            if request.host.endswith(domain):
                return own(request)
        listing = self.catalogue.at(request.url)
        return listing.answer(request) if listing else Answer(b"<h1>Not Found</h1>", status=404)

    async def serve(self, started: Callable[[], None], stop: asyncio.Event) -> None:
        """Listen on loopback until `stop` is set."""
        authority = CertificateAuthority()
        proxy = ProxyServer(self.respond, self.knows, authority, self.log)
        writers: WeakSet[asyncio.StreamWriter] = WeakSet()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.add(writer)
            await proxy.serve(reader, writer)

        server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=HEAD_LIMIT, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        with tempfile.TemporaryDirectory(prefix="internet-") as folder:
            self.certificate = Path(folder) / "ca.pem"
            authority.write(self.certificate)
            started()
            await stop.wait()
        server.close()
        # Tasks that wait for a request or in a pause end when their connection closes.
        for writer in tuple(writers):
            writer.transport.abort()
        await asyncio.sleep(0.01)

    def __enter__(self) -> Self:
        """Listen in a thread."""
        started = threading.Event()

        async def run() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await self.serve(started.set, self._stop)

        self._thread = threading.Thread(target=lambda: asyncio.run(run()), name="internet", daemon=True)
        self._thread.start()
        started.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections and stop."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def _is_private(host: str) -> bool:
    """Return whether a host is an address that web pages must not lead to."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    from tests.internet.internet_process import main

    sys.exit(main())
