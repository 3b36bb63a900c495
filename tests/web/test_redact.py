"""Keys that a server repeats are removed from every page, in any form."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from harvest import providers as registry
from harvest.errors import Unreachable
from harvest.web.redact import Secrets
from harvest.web.request_search_pages import SearchPage, SearchSession
from tests.web_server import HostileServer, answer

KEY = "AIza-k3y/of+tests=&\"<'\\0"
FORMS = {
    "plain": KEY,
    "in a sentence": f"no such key ({KEY}).",
    "URL": quote(KEY, safe=""),
    "URL in lower case": quote(KEY, safe="").lower().replace("aiza", "AIza"),
    "URL with slashes": quote(KEY),
    "form": quote_plus(KEY),
    "URL twice": quote(quote(KEY, safe=""), safe=""),
    "every letter in the URL": "".join(f"%{ord(letter):02X}" for letter in KEY),
    "JSON": json.dumps(KEY),
    "JSON with slashes": json.dumps(KEY).replace("/", "\\/"),
    "JSON in ASCII": "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    "JavaScript": "".join(f"\\x{ord(letter):02x}" for letter in KEY),
    "HTML": html.escape(KEY),
    "HTML in numbers": "".join(f"&#{ord(letter)};" for letter in KEY),
    "HTML in hexadecimal numbers": "".join(f"&#x{ord(letter):X};" for letter in KEY),
}


@pytest.mark.parametrize("form", FORMS)
def test_X15_every_form_of_a_key(form: str) -> None:
    """A key is hidden as it is and as escaped in URLs, JSON, JavaScript and HTML; the rest stays."""
    hidden = Secrets([KEY]).hide(f"before {FORMS[form]} after")
    assert "k3y" not in hidden
    assert "tests" not in hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")
    assert "…" in hidden


def test_X15_longest_key_first() -> None:
    """A key that starts with another key is hidden completely."""
    assert Secrets(["secret", "secret-and-more"]).hide("secret-and-more") == "…"


def test_X15_short_values_are_not_hidden() -> None:
    """An empty or very short value is not hidden: that would damage the page."""
    assert Secrets(["", " ", "photo"]).hide('{"photos": 1}') == '{"photos": 1}'


def sent(url: str = "https://api.test/", form: dict[str, str] | None = None, **headers: str) -> Secrets:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Secrets().with_sent(url, named, form)


@pytest.mark.parametrize(
    "secrets",
    [
        sent("https://api.test/?api_key=k3y-of-tests&q=cat"),
        sent("https://api.test/?q=cat&key=k3y%2Dof%2Dtests"),
        sent("https://api.test/?access-token=k3y-of-tests"),
        sent(form={"client_secret": "k3y-of-tests"}),
        sent(Authorization="Bearer k3y-of-tests"),
        sent(Authorization='OAuth oauth_nonce="1", oauth_consumer_key="k3y%2Dof%2Dtests"'),
        sent(X_Subscription_Token="k3y-of-tests"),
        sent(X_Api_Key="k3y-of-tests"),
    ],
)
def test_X15_what_is_sent_is_known(secrets: Secrets) -> None:
    """Keys are found in every part of the request."""
    assert secrets.hide("bad k3y-of-tests for cat") == "bad … for cat"


def test_X15_other_parameters_stay() -> None:
    """Parameters and headers that are not keys are not hidden: the page may repeat the query."""
    url = "https://api.test/?q=snakes&taxonKey=5219243&keywords=reptile&page=100000"
    text = '{"taxonKey": 5219243, "q": "snakes", "keywords": "reptile", "pages": 100000}'
    assert sent(url, User_Agent="classharvest", Accept_Language="de-german").hide(text) == text


def pages(**options: Any) -> SearchSession:
    return SearchSession(pace=0, wait=lambda _: False, **options)


def test_X15_page_and_headers() -> None:
    """Text, JSON, headers and URL of a page contain neither sent nor configured keys."""
    body = json.dumps({"message": f"bad k3y-sent or {KEY}", "url": f"?key={quote(KEY, safe='')}"}).encode()
    moved = answer(status="302 Found", location="/seen/k3y-sent")
    routes = {"/q?key=k3y-sent": moved, "/seen/k3y-sent": answer(body, x_key="k3y-sent")}
    with HostileServer(routes) as server, pages(secrets=[KEY]) as session:
        page = session.get(f"{server.url}/q", params={"key": "k3y-sent"})
    assert page.json() == {"message": "bad … or …", "url": "?key=…"}
    assert page.headers["x-key"] == "…"
    assert page.url == f"{server.url}/seen/…"


def test_X15_redirect_that_is_refused() -> None:
    """The message for a refused redirect does not contain a key in its host name."""
    moved = answer(status="302 Found", location="http://k3y-sent.127.1/")
    with (
        HostileServer({"/q?key=k3y-sent": moved}) as server,
        pages() as session,
        pytest.raises(Unreachable) as caught,
    ):
        session.get(f"{server.url}/q?key=k3y-sent")
    assert "k3y-sent" not in caught.value.message
    assert "an address that is not allowed" in caught.value.message


def test_X15_a_token_can_be_read() -> None:
    """The token of an OAuth response can be read, although the credentials are hidden."""
    body = b'{"access_token": "t0ken-of-tests", "client_id": "id-of-tests"}'
    with HostileServer({"/token": answer(body)}) as server, pages() as session:
        form = {"client_id": "id-of-tests", "client_secret": "secret-of-tests"}
        page: SearchPage = session.post(f"{server.url}/token", form=form)
    assert page.json() == {"access_token": "t0ken-of-tests", "client_id": "…"}


def test_X15_every_key_of_every_provider() -> None:
    """Each variable that may contain a key is among the secrets of its provider; other settings are not."""
    for name in registry.names():
        provider = registry.get(name)
        of_key = (provider.key.variable, *provider.key.also) if provider.key else ()
        environ = {variable: f"value of {variable}" for variable in (*of_key, *provider.variables)}
        settings = {variable for variable in environ if variable.startswith("HARVEST_") or variable.endswith("_URL")}
        wanted = {value for variable, value in environ.items() if variable not in settings}
        assert provider(environ).secrets == wanted
