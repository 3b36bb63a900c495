"""An unexpected exception at any stage of a run costs one image or one provider."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from harvest import images, photo_keys
from harvest import providers as registry
from harvest.errors import CannotWrite, ProviderError
from harvest.harvesting import download
from harvest.harvesting.run import HarvestRun
from harvest.images import (
    colour,
    decode,
    headers,
    make_picture,
    strip_metadata,
)
from harvest.models import Body, Hit, Recipe, Refusal, Task
from harvest.options import RunOptions
from harvest.providers import sample
from harvest.queries.query_file import Query
from harvest.verdicts import Verdict
from harvest.web import image_client as web_bodies
from harvest.web import send_one_request
from harvest.web.image_client import ImageClient
from tests.pictures import encoded, photo
from tests.web_server import HostileServer, answer

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.harvesting.summary import Summary


class Unforeseen(Exception):
    """An exception that no `except` of harvest names."""


def fail(*_: object, **__: object) -> object:
    """Raise the exception."""
    raise Unforeseen("in the works")


IMAGE_STAGES = {
    "header": (headers, "detect_format"),
    "strip": (strip_metadata, "strip_metadata"),
    "decode": (decode.Image, "open"),
    "white": (colour, "flatten_on_white"),
    "sRGB": (colour, "convert_to_srgb"),
    "fingerprint": (make_picture.fingerprint, "compute_fingerprint"),
    "encode": (make_picture, "_encode_jpeg"),
}
FETCH_STAGES = {
    "address": (web_bodies, "check_url"),
    "request": (send_one_request.RequestSender, "_request"),
    "answer": (web_bodies.image_response, "read_response"),
    "failure": (send_one_request, "classify_error"),
    "stand-in": (photo_keys, "is_placeholder"),
    "memory": (images, "memory_needed"),
    "statements": (make_picture, "read_statements"),
}


def work(url: str, *others: str) -> tuple[Refusal | object, int]:
    """Fetch and decode one hit."""

    async def one() -> object:
        bodies = ImageClient(allow_private=True)
        async with download.LocalWorkers(bodies, Recipe(), threads=1) as local:
            outcome = await local.work(Task(1, "king", Hit(url, "BING", "x", others=others)))
            await local.idle()
            return outcome.result

    return asyncio.run(one())


@pytest.mark.parametrize("stage", [*IMAGE_STAGES, *FETCH_STAGES])
def test_X07_workers_turn_an_exception_into_a_verdict(stage, monkeypatch, caplog):
    """If download or decoding raises, the hit is an internal error, and its traceback is logged."""
    monkeypatch.setattr(*(IMAGE_STAGES | FETCH_STAGES)[stage], fail)
    told = [b"no HTTP at all\r\n\r\n"] if stage == "failure" else answer(encoded(photo()))
    with HostileServer({"/a.jpg": told}) as server:
        result = work(f"{server.url}/a.jpg")

    assert isinstance(result, Refusal)
    assert result.verdict is Verdict.INTERNAL_ERROR
    assert "Unforeseen: in the works" in result.detail
    assert "Traceback" in caplog.text


def test_X07_the_next_rendition_is_tried(monkeypatch):
    """After an internal error with one URL of an image, its next URL is tried."""
    judge = web_bodies.image_response.read_response

    async def fail_once(response, *args, **more):
        if "large" in str(response.request.url):
            raise Unforeseen
        return await judge(response, *args, **more)

    monkeypatch.setattr(web_bodies.image_response, "read_response", fail_once)
    body = answer(encoded(photo()))
    with HostileServer({"/large.jpg": body, "/small.jpg": body}) as server:
        result = work(f"{server.url}/large.jpg", f"{server.url}/small.jpg")

    assert not isinstance(result, Refusal)


@pytest.mark.parametrize("error", [CannotWrite("the disk is full"), MemoryError(), KeyboardInterrupt()])
def test_X07_what_ends_a_run_still_does(error, monkeypatch):
    """`HarvestError`, Ctrl-C and running out of memory end the run."""

    async def judge(*_: object, **__: object) -> Body:
        raise error

    monkeypatch.setattr(web_bodies.image_response, "read_response", judge)
    with HostileServer({"/a.jpg": answer(b"x")}) as server, pytest.raises(type(error)):
        work(f"{server.url}/a.jpg")


# ---- providers, in a whole run


def harvest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> tuple[Summary, list[str]]:
    """Run two providers, one of which raises in this method."""

    class Bad(sample.Sample):
        name = "URLS"
        label = "Bad"

    def raise_it(*_: object) -> object:
        raise Unforeseen("in the works")

    kinds = {"SAMPLE": sample.Sample, "URLS": Bad}
    setattr(Bad, method, property(raise_it) if method == "trusted_hosts" else raise_it)
    monkeypatch.setattr(registry, "get", lambda name: kinds[name])
    messages: list[str] = []
    order = RunOptions(providers=("SAMPLE", "URLS"), out=tmp_path / "dataset", limit=3)
    job = HarvestRun(order, [Query("cat", "cat")], {}, say=lambda text: messages.append(str(text)))
    return job.run(), messages


@pytest.mark.parametrize("method", ["__init__", "check", "notes", "trusted_hosts", "search", "close"])
def test_X07_a_provider_fails_alone(method, tmp_path, monkeypatch):
    """A provider that raises in any method is reported as failed with exit code 3, and the others continue."""
    summary, _ = harvest(tmp_path, monkeypatch, method)

    assert summary.kept["cat"] > 0
    assert {problem.provider for problem in summary.problems} == {"URLS"}
    assert "Unforeseen: in the works" in summary.problems[0].error.message
    assert "bug of the provider" in summary.problems[0].error.hint
    assert summary.exit_code == ProviderError.exit_code


def test_X07_the_summary_says_how_to_report(tmp_path, monkeypatch, caplog):
    """Internal errors count as bad, and the summary mentions them once, with a hint."""
    monkeypatch.setattr(make_picture.fingerprint, "compute_fingerprint", fail)
    order = RunOptions(providers=("SAMPLE",), out=tmp_path / "dataset", limit=3)
    with caplog.at_level(logging.ERROR, "harvest"):
        summary = HarvestRun(order, [Query("cat", "cat")], {}).run()

    assert summary.total().columns()["bad"] == summary.total().found == 3
    (note,) = [note for note in summary.notes if "internal error" in note]
    assert note.startswith("3 hits")
    assert "--log FILE" in note
    assert "Traceback" in caplog.text
