"""Google in its five forms, Brave, DuckDuckGo, Baidu, SearXNG and Naver with the real command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from harvest import providers
from tests.end_to_end.snakes import CORAL, CORALS, SNAKES, exif_texts, pictures, size, table, write
from tests.internet.custom_search import CustomSearch
from tests.internet.host_behaviour import picture
from tests.internet.naver import Naver
from tests.internet.searxng import SearXNG
from tests.internet.serper import Serper
from tests.web import Answer, Listing, Photo

if TYPE_CHECKING:
    from pathlib import Path

WIDE = (640, 400)


@dataclass(frozen=True)
class Engine:
    """One way to use a source: its name for -c, its service, its key, and the name of the error for a wrong key."""

    name: str
    service: str
    keys: dict[str, str] = field(default_factory=dict)
    front: int = 0  # pages requested before the first results


CSE = Engine("GOOGLE", "custom_search", {"GOOGLE_API_KEY": CustomSearch.key, "GOOGLE_CSE_ID": CustomSearch.engine})
SERPAPI = Engine("GOOGLE", "serpapi", {"SERPAPI_API_KEY": "serp-a-key-of-tests"})
SERPER = Engine("GOOGLE", "serper", {"SERPER_API_KEY": Serper.key})
PLAIN = Engine("GOOGLE", "google")
BRAVE = Engine("BRAVE", "brave", {"BRAVE_API_KEY": "BSA-a-key-of-tests"})
DUCK = Engine("DUCKDUCKGO", "duckduckgo", front=1)
BAIDU = Engine("BAIDU", "baidu", front=1)
SEARXNG = Engine("SEARXNG", "searxng", {"SEARXNG_URL": SearXNG.url})
NAVER = Engine(
    "NAVER",
    "naver",
    {"NAVER_API_HUB_CLIENT_ID": Naver.client_id, "NAVER_API_HUB_CLIENT_SECRET": Naver.client_secret},
)
ENGINES = [CSE, SERPAPI, SERPER, PLAIN, BRAVE, DUCK, BAIDU, SEARXNG, NAVER]
KEYED = [CSE, SERPAPI, SERPER, BRAVE, NAVER]


def of(engines):
    return pytest.mark.parametrize("engine", engines, ids=lambda engine: engine.service)


@pytest.fixture
def ask(cli):
    """Return `ask(engine, *options)`, which searches an engine and Bing for corals and returns the run."""
    write(cli.folder, CORALS)

    def ask(engine, *options, **variables):
        return cli("-c", "BING", "-c", engine.name, "--json", *options, "snakes.csv", **engine.keys | variables)

    return ask


def corals(folder: Path) -> list[Path]:
    return pictures(folder / "dataset").get("coral_snake", [])


def ends(run) -> dict[str, str]:
    return {line["provider"]: line["end"] for line in run.json["lines"]}


# ---- all of them


@of(ENGINES)
def test_an_engine_fills_a_class(internet, cli, engine):
    """Images have the listed size, appear once each, are named by their source, and the run succeeds."""
    service = getattr(internet, engine.service)
    results = service.add_results(CORAL, 9, size=WIDE, dead=2, changed=1)
    write(cli.folder, CORALS)

    run = cli("-c", engine.name.lower(), "-p", "-s", "0", "snakes.csv", **engine.keys)

    assert run.code == 0, run.err
    assert table(run)["coral_snake"] | internet.expected(results) == table(run)["coral_snake"]
    assert len(corals(cli.folder)) == 6
    for path in corals(cli.folder):
        assert path.name.startswith(f"{engine.name.lower()}-")
        assert exif_texts(path)["source"] in results.urls
        assert not exif_texts(path)["copyright"]
    assert {size(path) for path in corals(cli.folder)} >= {WIDE}
    asked = internet.log.to(service.host)
    if engine is not SERPER:  # its query is in the body, which is not logged
        texts = [[visit.asked.get(name) for name in ("q", "word", "query")] for visit in asked[engine.front :]]
        assert all(CORAL in text for text in texts)


@of(ENGINES)
def test_V03_truly_nothing_is_no_failure(internet, cli, ask, engine):
    """If an engine says that it has no results, that is reported, and another engine fills the class."""
    internet.bing.add_results(CORAL, 2)

    run = ask(engine)

    assert run.code == 0, run.err
    assert ends(run) == {"BING": "exhausted", engine.name: "exhausted"}
    assert len(corals(cli.folder)) == 2
    assert internet.log.to(getattr(internet, engine.service).host)


@of(ENGINES)
def test_V01_a_block_ends_one_engine(internet, cli, ask, engine):
    """A block page ends the search of its engine, which is not asked again; the others continue."""
    internet.bing.add_results(CORAL, 2)
    service = getattr(internet, engine.service)
    service.add_results(CORAL, 3)
    service.set_mode("blocked")

    run = ask(engine)

    assert run.code == 3
    (problem,) = run.json["problems"]
    assert (problem["provider"], problem["kind"]) == (engine.name, "Blocked")
    assert "instead of results" in problem["message"]
    assert problem["hint"]
    assert len(corals(cli.folder)) == 2
    assert len(internet.log.to(service.host)) <= 1 + engine.front


@pytest.mark.parametrize("mode", ["changed", "nested"])
@of([engine for engine in ENGINES if engine is not PLAIN])
def test_V02_V07_a_strange_answer_ends_one_engine(internet, cli, ask, engine, mode):
    """An unknown or malicious response is reported as such, and never as "no results"."""
    internet.bing.add_results(CORAL, 2)
    service = getattr(internet, engine.service)
    service.add_results(CORAL, 3)
    service.set_mode(mode)

    run = ask(engine)

    assert run.code == 3
    (problem,) = run.json["problems"]
    assert (problem["provider"], problem["kind"]) == (engine.name, "PageChanged")
    assert len(corals(cli.folder)) == 2


@of(ENGINES)
def test_V07_an_endless_page_ends_one_engine(internet, cli, ask, engine):
    """An endless page is aborted after ten million bytes."""
    internet.bing.add_results(CORAL, 2)
    getattr(internet, engine.service).set_mode("bloated")

    run = ask(engine)

    assert run.code == 3
    assert "is larger than 10485760 bytes" in run.json["problems"][0]["message"]
    assert len(corals(cli.folder)) == 2


@of([CSE, SERPAPI, BRAVE, DUCK])
def test_N05_a_throttled_engine_is_waited_for(internet, cli, ask, engine):
    """A first rate-limit response with a second to wait is waited for, and the search continues."""
    service = getattr(internet, engine.service)
    service.add_results(CORAL, 3)
    service.set_mode("limited", times=1)

    run = ask(engine)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 3


def test_engines_alone_and_blocked_are_no_success(internet, cli):
    """A run that received only block pages reports that nothing was harvested, and the reason for each source."""
    engines = (CSE, BRAVE, DUCK, BAIDU)
    for engine in engines:
        getattr(internet, engine.service).set_mode("blocked")
    write(cli.folder, CORALS)

    run = cli(*(f"-c{engine.name}" for engine in engines), "snakes.csv", **CSE.keys, **BRAVE.keys)

    assert run.code == 4
    assert run.out.count("instead of results") == 4


def test_all_leaves_out_best_effort_engines(internet, cli):
    """Without -c, best-effort engines and those without a key are not asked; one with a key is."""
    internet.bing.add_results(CORAL, 1)
    internet.custom_search.add_results(CORAL, 1)
    write(cli.folder, CORALS)

    assert cli("snakes.csv").code == 0
    hosts = {visit.host for visit in internet.log.visits}
    assert not hosts & {getattr(internet, engine.service).host for engine in ENGINES}

    assert cli("snakes.csv", **CSE.keys).code == 0
    assert internet.log.to(internet.custom_search.host)
    assert not internet.log.to(internet.google.host)
    assert len(corals(cli.folder)) == 2


# ---- keys


@of(KEYED)
def test_V04_a_key_is_nowhere_but_in_its_request(internet, cli, engine):
    """The key is in no message, log, report or file, and in no URL sent to another host."""
    getattr(internet, engine.service).add_results(CORAL, 3, dead=1)
    write(cli.folder, CORALS)

    run = cli("-c", engine.name, "-v", "--log", "story.log", "snakes.csv", **engine.keys)

    assert run.code == 0, run.err
    left = b"".join(path.read_bytes() for path in cli.folder.rglob("*") if path.is_file())
    for name, key in engine.keys.items():
        if name != "GOOGLE_CSE_ID":
            assert key not in run.out + run.err
            assert key.encode() not in left
            assert {visit.host for visit in internet.log.visits if key in visit.url} <= {
                getattr(internet, engine.service).host
            }
    assert not internet.log.to("api.search.brave.com", "*BSA*")


@of(KEYED)
def test_V04_a_wrong_key_ends_with_the_code_for_keys(internet, cli, engine):
    """A refused key is reported once, and not printed."""
    getattr(internet, engine.service).add_results(CORAL, 3)
    write(cli.folder, CORALS)
    wrong = dict.fromkeys(engine.keys, "wr0ng-key")

    run = cli("-c", engine.name, "-v", "snakes.csv", **wrong)

    assert run.code == 5
    assert "does not accept the key" in run.out
    assert "wr0ng-key" not in run.out + run.err
    assert len(internet.log.to(getattr(internet, engine.service).host)) == 1


def test_V04_a_missing_key_is_told_before_anything_is_asked(internet, cli):
    """Without a key Brave is not asked, and the message says how to get and store one."""
    write(cli.folder, CORALS)

    run = cli("-c", "BRAVE", "snakes.csv")

    assert run.code == 5
    assert "error: Brave needs an API key, in the variable BRAVE_API_KEY." in run.err
    assert "harvest keys set brave" in run.err
    assert not internet.log.visits


def test_a_key_of_the_file_is_used(internet, cli):
    """A stored key works for a run and for the doctor; one in the environment takes precedence."""
    internet.brave.add_results(CORAL, 2)
    internet.brave.add_results("cat", 1)
    write(cli.folder, CORALS)
    file = cli.folder / "settings" / "harvest" / "keys.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(BRAVE.keys))
    settings = {"XDG_CONFIG_HOME": str(cli.folder / "settings")}

    assert cli("-c", "BRAVE", "snakes.csv", **settings).code == 0
    assert len(corals(cli.folder)) == 2
    assert cli("doctor", "brave", **settings).code == 0
    result = cli("keys", "list", **settings)
    assert str(file) in result.out
    assert BRAVE.keys["BRAVE_API_KEY"] not in result.out
    assert cli("-c", "BRAVE", "--refresh", "snakes.csv", **settings, BRAVE_API_KEY="wrong").code == 5


def test_V05_a_quota_reached_midway(internet, cli):
    """When the daily quota is used up, existing results are kept, and the same command continues later."""
    internet.custom_search.add_results(CORAL, 25)
    internet.custom_search.set_mode("quota", after=1)
    write(cli.folder, CORALS)

    run = cli("-c", "GOOGLE", "snakes.csv", **CSE.keys)

    assert run.code == 3
    assert "quota of this key is used up" in run.out
    assert len(corals(cli.folder)) == 10
    internet.custom_search.reset_mode()
    assert cli("-c", "GOOGLE", "snakes.csv", **CSE.keys).code == 0
    assert len(corals(cli.folder)) == 25


def test_the_end_of_custom_search_is_announced(internet, cli):
    """A user of Custom Search is warned about its end date."""
    internet.custom_search.add_results(CORAL, 1)
    write(cli.folder, CORALS)

    assert "Google ends Custom Search on 2027-01-01" in cli("-c", "GOOGLE", "snakes.csv", **CSE.keys).err


def test_an_empty_response_of_serpapi_is_retried(internet, cli):
    """One empty response among good ones costs a request, and no image."""
    internet.serpapi.add_results(CORAL, 3)
    internet.serpapi.set_mode("hollow", times=1)
    write(cli.folder, CORALS)

    assert cli("-c", "GOOGLE", "snakes.csv", **SERPAPI.keys).code == 0
    assert len(corals(cli.folder)) == 3


def test_license_open_is_custom_searchs_claim(internet, cli):
    """`--license open` is sent to Custom Search as a filter, and its results are recorded as a claim."""
    closed = internet.custom_search.add_results(CORAL, 2, licence=2)
    internet.custom_search.add_results(CORAL, 2, licence=4, also=closed)
    write(cli.folder, CORALS)

    run = cli("-c", "GOOGLE", "--license", "open", "snakes.csv", **CSE.keys)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 2
    assert all("claimed" in exif_texts(path)["copyright"] for path in corals(cli.folder))


# ---- the user's own instance of SearXNG


def test_an_instance_without_json_says_what_to_change(internet, ask):
    """An instance that refuses JSON is asked once, and the message names the setting."""
    internet.bing.add_results(CORAL, 2)
    internet.searxng.add_results(CORAL, 3)
    internet.searxng.has_json = False

    run = ask(SEARXNG)

    assert run.code == 3
    (problem,) = run.json["problems"]
    assert "its JSON format is not enabled" in problem["message"]
    assert "settings.yml" in problem["hint"]
    assert len(internet.log.to(SearXNG.host)) == 1


def test_an_instance_at_a_private_address_finds_no_image_at_one(internet, cli):
    """An instance on this machine is searched, and an image that it finds on this machine is refused."""
    inside = Listing(4713, "http://127.0.0.1:8888/image.jpg", "https://x.stories.test/", "inside", Photo(4713, WIDE))
    internet.searxng.add_results(CORAL, 2, also=[inside])
    internet.sites["127.0.0.1"] = internet.searxng.answer
    write(cli.folder, CORALS)

    run = cli("-c", "SEARXNG", "--json", "snakes.csv", SEARXNG_URL="http://127.0.0.1:8888")

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 2
    assert {visit.path.partition("?")[0] for visit in internet.log.to("127.0.0.1")} == {"/search"}


# ---- Google without a key


@pytest.mark.parametrize("mode", ["blocked", "shell", "sorry", "consent", "forbidden"])
def test_V01_google_without_a_key_is_tried_once(internet, cli, mode):
    """Google is asked once, under our own User-Agent, and the message names the alternatives."""
    internet.google.add_results(CORAL, 3)
    internet.google.set_mode(mode)
    write(cli.folder, SNAKES)

    run = cli("-c", "GOOGLE", "snakes.csv")

    assert run.code == 4
    for way in ("--google-pages FOLDER", "SERPAPI_API_KEY", "SERPER_API_KEY", "GOOGLE_API_KEY and GOOGLE_CSE_ID"):
        assert way in run.out
    searches = internet.log.to("www.google.com", "/search*")
    assert [visit.headers["user-agent"].split("/")[0] for visit in searches] == ["classharvest"]


def test_V02_google_with_thumbnails_only(internet, cli):
    """A page without results is a changed page, which is saved for a bug report."""
    internet.google.add_results(CORAL, 3)
    internet.google.set_mode("changed")
    write(cli.folder, CORALS)

    run = cli("-c", "GOOGLE", "snakes.csv")

    assert run.code == 4
    assert "thumbnails only" in run.out


def test_baidus_thumbnail_stands_in_for_a_dead_original(internet, cli):
    """If an image is gone, the rendition that Baidu stores is downloaded, with a Referer."""
    (dead,) = internet.baidu.add_results(CORAL, 1, size=(1200, 900), dead=1)
    internet.baidu.has_thumbnails = True
    write(cli.folder, CORALS)

    assert cli("-c", "BAIDU", "snakes.csv").code == 0
    assert internet.log.count(dead.url) == 1
    assert len(corals(cli.folder)) == len(internet.log.to("img*.baidu.com")) == 1


# ---- pages saved in a browser


@pytest.fixture
def saved(internet, cli):
    """Save Google's page for corals as a browser would, and return its listings."""
    results = internet.addresses(8, CORAL, size=WIDE, dead=1)
    (cli.folder / "saved").mkdir()
    page = cli.folder / "saved" / f"{CORAL} - Google Search.html"
    page.write_text(internet.google.saved(results), "utf-8")
    write(cli.folder, CORALS)
    return results


@pytest.mark.parametrize("how", ["--google-pages", "HARVEST_GOOGLE_PAGES"])
@pytest.mark.parametrize("chosen", [["-c", "GOOGLE"], []], ids=["GOOGLE", "ALL"])
def test_saved_pages_need_no_key_and_no_request(internet, cli, saved, how, chosen):
    """The images of a saved page are harvested without contacting Google; ALL includes saved pages."""
    given = [how, "saved"] if how.startswith("--") else []
    variables = {} if given else {how: "saved"}

    run = cli(*chosen, *given, "snakes.csv", **variables)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 7
    assert {exif_texts(path)["source"] for path in corals(cli.folder)} <= set(saved.urls)
    assert not internet.log.to("*google*")
    assert "are read with --refresh" in run.err


@pytest.mark.usefixtures("saved")
def test_a_query_without_a_saved_page_is_named_and_the_others_continue(cli):
    """A query without a matching page is named, with the available searches, and does not stop other queries."""
    write(cli.folder, f"class,query\nking_snake,scarlet king snake\ncoral_snake,{CORAL}\n")

    run = cli("-c", "GOOGLE", "--google-pages", "saved", "snakes.csv")

    assert run.code == 3
    assert "none of the saved pages in saved is for 'scarlet king snake'" in run.out
    assert f"They are for: {CORAL}." in run.out
    assert len(corals(cli.folder)) == 7


def test_pages_saved_later_are_read_with_refresh(internet, cli, saved):
    """A page saved since the last run is read when it is needed, and nothing is downloaded twice."""
    line = ("-c", "GOOGLE", "--google-pages", "saved", "snakes.csv")
    assert cli(*line).code == 0
    more = internet.addresses(3, CORAL, size=WIDE)
    (cli.folder / "saved" / f"{CORAL} (1).html").write_text(internet.google.saved(more), "utf-8")
    internet.log.clear()

    assert cli(*line, "--refresh").code == 0
    assert len(corals(cli.folder)) == 10
    assert not [url for url in saved.urls if internet.log.count(url) and url not in [x.url for x in saved.of("dead")]]


def test_V05_one_unreadable_saved_page_stops_nothing(internet, cli, saved):
    """A page of the "All" tab is named, and the images of the other pages are harvested."""
    page = internet.google.saved(saved, changed=True)
    (cli.folder / "saved" / f"{CORAL} (1).html").write_text(page, "utf-8")

    run = cli("-c", "GOOGLE", "--google-pages", "saved", "snakes.csv")

    assert run.code == 0, run.err
    assert f"{CORAL} (1).html has thumbnails only" in run.err
    assert len(corals(cli.folder)) == 7


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_pages_is_an_error(internet, cli, folder):
    """A missing or empty folder is an error that says how to save pages; no request is sent."""
    (cli.folder / "empty").mkdir()
    write(cli.folder, CORALS)

    run = cli("-c", "GOOGLE", "--google-pages", folder, "snakes.csv")

    assert run.code == 4
    assert "Webpage, Complete" in run.err
    assert not internet.log.visits
    assert not (cli.folder / "dataset").exists()


# ---- renditions and duplicates


PIN = "ab/cd/ef/abcdef0123456789abcdef0123456789.jpg"


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ((), ["originals"]),
        (("originals",), ["originals", "736x"]),
        (("originals", "736x"), ["originals", "736x", "236x"]),
    ],
)
def test_V06_the_largest_rendition_is_fetched_first(internet, cli, missing, asked):
    """The full image is downloaded instead of the engine's thumbnail; a smaller one only if that fails."""
    photo = Photo(4711, WIDE)
    pin = Listing(4711, f"https://i.pinimg.com/236x/{PIN}", "https://pins.stories.test/", "a pin", photo)
    internet.brave.add_results(CORAL, 0, also=[pin])
    internet.sites["i.pinimg.com"] = lambda request: (
        Answer(status=403) if request.path.split("/")[1] in missing else picture(photo)
    )
    write(cli.folder, CORALS)

    run = cli("-c", "BRAVE", "snakes.csv", **BRAVE.keys)

    assert run.code == 0, run.err
    assert [visit.path for visit in internet.log.to("i.pinimg.com")] == [f"/{name}/{PIN}" for name in asked]
    assert len(corals(cli.folder)) == 1


def test_V06_one_picture_from_four_engines_is_one_picture(internet, cli):
    """An image that Bing, Brave, Google and DuckDuckGo all list is downloaded and kept once."""
    results = internet.bing.add_results(CORAL, 3)
    for service in (internet.brave, internet.custom_search, internet.duckduckgo):
        service.add_results(CORAL, 1, also=list(results))
    write(cli.folder, CORALS)

    chosen = [word for name in ("BING", "BRAVE", "GOOGLE", "DUCKDUCKGO") for word in ("-c", name)]
    run = cli(*chosen, "snakes.csv", **BRAVE.keys, **CSE.keys)

    assert run.code == 0, run.err
    assert len(corals(cli.folder)) == 6
    assert table(run)["coral_snake"]["found"] == 15
    assert [internet.log.count(url) for url in results.urls] == [1, 1, 1]


def test_an_unavailable_image_is_not_kept(internet, cli):
    """If a host redirects to its "no longer available" image, nothing is kept."""
    gone = Listing(4712, "https://i.imgur.com/AbCdEfG.jpg", "https://x.stories.test/", "gone", Photo(4712, WIDE))
    internet.brave.add_results(CORAL, 1, also=[gone])
    internet.sites["i.imgur.com"] = lambda request: (
        picture(gone.photo)
        if request.path == "/removed.png"
        else Answer(status=302, headers={"Location": "https://i.imgur.com/removed.png"})
    )
    write(cli.folder, CORALS)

    run = cli("-c", "BRAVE", "snakes.csv", **BRAVE.keys)

    assert run.code == 0, run.err
    assert table(run)["coral_snake"]["dead"] == 1
    assert len(corals(cli.folder)) == 1


# ---- the doctor


def test_best_effort_sources_do_not_fail_the_doctor(internet, cli):
    """A source that is not in ALL may fail without failing the doctor, unless it is named."""
    for name in ("BING", "OPENVERSE", "INATURALIST", "GBIF"):
        getattr(internet, name.lower()).add_results(providers.get(name).probe, 1)
    for service in (internet.google, internet.duckduckgo, internet.baidu):
        service.set_mode("blocked")

    run = cli("doctor")
    assert run.code == 0, run.out
    for name in ("google", "duckduckgo", "baidu"):
        (line,) = [line for line in run.out.splitlines() if f" {name} " in line]
        assert line.startswith("! note")
    assert "--google-pages FOLDER" in run.out

    run = cli("doctor", "duckduckgo")
    assert run.code == 3
    assert "✗ failed" in run.out
