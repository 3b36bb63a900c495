"""Services that repeat the keys they received: no key is printed, logged or stored."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.end_to_end.snakes import CORAL, CORALS, write
from tests.web import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Ran
    from tests.internet.proxy_server import Request

KEYS = {
    "FLICKR_API_KEY": "flickr/k3y+of=tests",
    "BRAVE_API_KEY": "brave-k3y-of-tests",
    "SERPAPI_API_KEY": "serpapi-k3y-of-tests",
    "OPENVERSE_CLIENT_ID": "openverse-k3y-of-tests",
    "OPENVERSE_CLIENT_SECRET": "openverse-s3cret-k3y",
    "PEXELS_API_KEY": "pexels-k3y-of-tests",
    "PIXABAY_API_KEY": "pixabay-k3y-of-tests",
    "NAVER_API_HUB_CLIENT_ID": "naver-k3y-of-tests",
    "NAVER_API_HUB_CLIENT_SECRET": "naver-s3cret-k3y",
}
HOSTS = {
    "FLICKR": "api.flickr.com",
    "BRAVE": "api.search.brave.com",
    "GOOGLE": "serpapi.com",
    "OPENVERSE": "api.openverse.org",
    "PEXELS": "api.pexels.com",
    "PIXABAY": "pixabay.com",
    "NAVER": "naverapihub.apigw.ntruss.com",
}
TOKEN = "granted-k3y-of-tests"


def _repeated(request: Request) -> str:
    return f"{request.path} {request.fields} {dict(request.headers)} {request.body.decode()}"


def refusal(request: Request) -> Answer:
    """Refuse in the words of each service, and repeat the request."""
    if request.route.endswith("/token/"):
        return Answer(json.dumps({"access_token": TOKEN, "expires_in": 36000}).encode())
    messages = f"bad call: {_repeated(request)}"
    body = {"stat": "fail", "code": 100, "message": messages, "detail": messages, "error": messages}
    body["errorMessage"] = messages
    if "brave" in request.host:
        body["error"] = {"code": "SUBSCRIPTION_TOKEN_INVALID", "detail": messages}
    if request.host == "pixabay.com":
        return Answer(f"[ERROR 400] {messages}".encode(), 400)
    return Answer(json.dumps(body).encode(), 400, "application/json")


def strange(request: Request) -> Answer:
    """Return another kind of page, with the request in it as HTML."""
    if request.route.endswith("/token/"):
        return Answer(json.dumps({"access_token": TOKEN, "expires_in": 36000}).encode())
    fields = "".join(f"&#{ord(letter)};" for letter in str(request.fields))
    body = f"{html.escape(_repeated(request))} {fields}"
    return Answer(f"<html><h1>New design</h1><pre>{body}</pre>".encode())


def traces(run: Ran, *folders: Path) -> list[str]:
    """Return where a key appears, in any of its forms, in the output and in every file."""
    seen = {"stdout": run.out.encode(), "stderr": run.err.encode()}
    for folder in folders:
        seen |= {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    forms = {form.encode() for key in (*KEYS.values(), TOKEN) for form in (key, quote(key, safe=""))}
    forms |= {b"k3y", b"".join(f"&#{ord(letter)};".encode() for letter in "k3y")}
    return [place for place, content in seen.items() if any(form in content for form in forms)]


@pytest.mark.parametrize("site", [refusal, strange])
def test_X15_keys_are_not_printed_logged_or_stored(internet, cli, site):
    """Whatever services repeat, no key is in messages, JSON, log, saved pages or the ledger."""
    internet.sites |= dict.fromkeys(HOSTS.values(), site)
    write(cli.folder, CORALS)
    sources = [word for name in HOSTS for word in ("-c", name)]

    run = cli(*sources, "snakes.csv", "-v", "--log", "run.log", "--json", **KEYS)

    assert {problem["provider"] for problem in run.json["problems"]} == set(HOSTS)
    assert any("bad call" in problem["message"] for problem in run.json["problems"]) == (site is refusal)
    assert bool(list(cli.folder.rglob("harvest-*-page.txt"))) == (site is strange)
    assert traces(run, cli.folder) == []


@pytest.mark.parametrize("site", [refusal, strange])
def test_X15_the_key_of_posted_json(internet, cli, site):
    """The key beside fields that are posted as JSON is hidden as well."""
    internet.sites["google.serper.dev"] = site
    write(cli.folder, CORALS)

    run = cli("-c", "GOOGLE", "snakes.csv", "-v", "--log", "run.log", "--json", SERPER_API_KEY="serper-k3y-of-tests")

    (problem,) = run.json["problems"]
    assert ("bad call" in problem["message"]) == (site is refusal)
    assert traces(run, cli.folder) == []


def test_X15_signed_calls_and_a_key_file(internet, cli):
    """The keys of the key file are hidden too, also those that only sign calls."""
    settings = cli.aside / "settings" / "harvest"
    settings.mkdir(parents=True)
    (settings / "keys.json").write_text(
        json.dumps({"FLICKR_API_KEY": KEYS["FLICKR_API_KEY"], "FLICKR_API_SECRET": "signing-k3y-of-tests"})
    )
    (settings / "keys.json").chmod(0o600)

    def site(request: Request) -> Answer:
        messages = f"signing-k3y-of-tests {request.headers['authorization']}"
        return Answer(json.dumps({"stat": "fail", "code": 96, "message": messages}).encode())

    internet.sites["api.flickr.com"] = site
    write(cli.folder, CORALS)

    run = cli("-c", "FLICKR", "snakes.csv", "--log", "run.log", "--json", XDG_CONFIG_HOME=str(settings.parent))

    assert run.code == 5
    assert "Flickr does not accept the key: …" in run.json["problems"][0]["message"]
    assert traces(run, cli.folder) == []


def test_X15_results_that_hold_the_key(internet, cli):
    """A key in titles and names of results reaches neither the ledger nor the files."""
    key = "0123456789abcdef-k3y"
    internet.flickr.key = key
    results = internet.flickr.add_results(CORAL, 2)
    real = internet.sites["api.flickr.com"]

    def site(request: Request) -> Answer:
        answer = json.loads(real(request).body)
        for photo in answer["photos"]["photo"]:
            photo |= {"title": f"snake {key}", "ownername": f"&#x6b;3y and {key}", "pathalias": f"by-{key}"}
        return Answer(json.dumps(answer).encode(), kind="application/json")

    internet.sites["api.flickr.com"] = site
    write(cli.folder, CORALS)

    run = cli("-c", "FLICKR", "snakes.csv", "-v", "--log", "run.log", FLICKR_API_KEY=key)

    assert run.code == 0, run.err
    kept = list((cli.folder / "dataset").rglob("*.jpg"))
    assert len(kept) == len(results)
    why = cli("why", str(kept[0]))
    assert "snake …" in why.out
    for place in (run.out, run.err, why.out):
        assert key not in place
    assert not [path for path in cli.folder.rglob("*") if path.is_file() and key.encode() in path.read_bytes()]


def test_X15_doctor_saves_no_key(internet, cli):
    """The page that `harvest doctor` saves for a bug report contains no key."""
    internet.sites["api.flickr.com"] = strange

    run = cli("doctor", "flickr", **KEYS)

    assert "harvest-flickr-page.txt" in run.out
    assert "New design" in (cli.folder / "harvest-flickr-page.txt").read_text("utf-8")
    assert traces(run, cli.folder) == []
