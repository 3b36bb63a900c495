"""robots.txt: which group counts, and what its lines about training and crawling forbid."""

from __future__ import annotations

import time

import pytest

from harvest.verdicts import Verdict
from harvest.web.robots_txt import parse_robots_txt

URL = "https://img.example/photos/a.jpg?size=2"


def verdict(text: str, url: str = URL, *, obey_opt_out: bool = True, obey_general: bool = False) -> Verdict | None:
    refusal = parse_robots_txt(text).find_refusal(url, obey_opt_out=obey_opt_out, obey_general=obey_general)
    return refusal.verdict if refusal else None


FORBIDDEN = [
    "User-agent: *\nContent-Signal: search=yes,ai-train=no\nAllow: /",
    "# BEGIN Managed content\nUser-Agent: *\nContent-signal: search=yes, ai-train=no, use=reference\nAllow: /",
    "Content-Signal: ai-train=no",
    "User-agent: *\nContent-Usage: train-ai=n",
    "user-agent : *\ncontent-usage : / train-ai=n # all of it",
    "User-agent: *\nContent-Usage: / train-ai=y\nContent-Usage: /photos/ train-ai=n",
    "User-agent: *\nContent-Usage: / train-ai=y\nContent-Usage: / train-ai=n",
    "User-agent: *\nContent-Usage: /*.jpg search=y, train-ai=n",
    "User-agent: otherbot\nUser-agent: *\nContent-Usage: train-ai=n",
    "User-agent: *\nDisallow: /cgi\n\nUser-agent: *\nContent-Usage: train-ai=n",
    "\ufeffUser-agent: *\r\nContent-Usage: train-ai=n\r\n",
    "User-agent: classharvest\nDisallow: /",
    "User-agent: ClassHarvest/0.1\nDisallow: /photos/",
    "User-agent: otherbot\nUser-agent: classharvest\nSitemap: https://img.example/map\nDisallow: /*.jpg",
    "User-agent: classharvest\nContent-Signal: ai-train=no",
]
ALLOWED = [
    "",
    "User-agent: *\nDisallow: /",
    "User-agent: *\nContent-Signal: search=no, ai-input=no, ai-train=yes",
    "User-agent: *\nContent-Usage: ai-use=n, search=n",
    "User-agent: *\nContent-Usage: / train-ai=n\nContent-Usage: /photos/ train-ai=y",
    "User-agent: *\nContent-Usage: /paintings/ train-ai=n",
    "User-agent: otherbot\nContent-Usage: train-ai=n\nDisallow: /",
    "User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: classharvest\nContent-Signal: ai-train=yes",
    "User-agent: *\nContent-Signal: ai-train=no\n\nUser-agent: classharvest\nDisallow:",
    "User-agent: class\nUser-agent: harvest\nUser-agent: classharvester\nUser-agent: classharvest2\nDisallow: /",
    "User-agent: classharvest\nDisallow: /\nAllow: /photos/",
    "# Content-Signal: ai-train=no",
    "<!doctype html><title>Not found</title>",
    "\0\xff" * 1000,
]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_statement_about_training_or_this_program_is_an_opt_out(text: str) -> None:
    """A group that counts for this program and forbids training or this program refuses an image."""
    assert verdict(text) is Verdict.OPTED_OUT
    assert verdict(text, obey_opt_out=False) is None


@pytest.mark.parametrize("text", ALLOWED)
def test_other_statements_are_no_opt_out(text: str) -> None:
    """Rules for all crawlers, for others, or about other uses refuse nothing."""
    assert verdict(text) is None


def test_the_rules_for_all_crawlers_are_obeyed_on_request() -> None:
    """The general rules refuse an image only where they are asked for, whatever the opt-outs."""
    text = "User-agent: *\nDisallow: /photos/\nAllow: /photos/free/"

    assert verdict(text, obey_general=True) is Verdict.DISALLOWED
    assert verdict(text, obey_opt_out=False, obey_general=True) is Verdict.DISALLOWED
    assert verdict(text, "https://img.example/photos/free/a.jpg", obey_general=True) is None


def test_a_group_of_our_own_replaces_the_rules_for_all_crawlers() -> None:
    """Where a group names this program, the rules for all crawlers do not concern it."""
    text = "User-agent: *\nDisallow: /\n\nUser-agent: classharvest\nAllow: /"

    assert verdict(text, obey_general=True) is None


def test_the_refusal_names_the_statement() -> None:
    """The detail of a refusal names the file and the line that was met."""
    found = parse_robots_txt(FORBIDDEN[0]).find_refusal(URL, obey_opt_out=True, obey_general=False)

    assert found is not None
    assert found.detail == "robots.txt: Content-Signal: ai-train=no"


@pytest.mark.parametrize(
    "text",
    [
        "User-agent: *\n" + "Disallow: /" + "a*" * 900 + "\n" * 9,
        "User-agent: *\n" + "Content-Usage: /" + "*a" * 900 + " train-ai=n\n",
        "User-agent: *\n" + "".join(f"Content-Usage: /{number}* train-ai=n\n" for number in range(20_000)),
        "User-agent: *\n" + "".join(f"Disallow: /*{number}\n" for number in range(40_000)),
        "".join(f"User-agent: bot{number}\n" for number in range(30_000)) + "Disallow: /",
        "Content-Usage: " + '"' * 400_000,
    ],
)
def test_a_hostile_file_takes_no_time(text: str) -> None:
    """A file of the largest size with the worst lines is read and matched in seconds of CPU at most."""
    began = time.process_time()

    verdict(text[: 500 * 1024], "https://img.example/" + "a" * 8000, obey_general=True)

    assert time.process_time() - began < 10
