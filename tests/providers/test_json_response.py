"""JSON responses of services: their objects, and the errors they report."""

from __future__ import annotations

import json

import pytest

from harvest.errors import Blocked, PageChanged, Unanswerable
from harvest.providers.json_response import read_object, read_reason
from harvest.web.request_search_pages import SearchPage


def page(text, status=200):
    return SearchPage("https://api.zoo.example/animals", status, text, {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"detail": "Bad query."}', "Bad query."),
        ('{"detail": {"page": ["Invalid page."]}}', "page: Invalid page."),
        ('{"error": {"code": 7, "message": "No such taxon"}}', "message: No such taxon"),
        ('{"detail": 7, "message": "No"}', "No"),
        ("Invalid taxonKey: many\n", "Invalid taxonKey: many"),
        ("Two\x1b[31m\r\nlines", "Two[31m lines"),
    ],
)
def test_the_reason_of_an_error_is_shown(text, reason):
    """An error status with a reason, in JSON or in plain text, gives an error with that reason in one line."""
    with pytest.raises(Unanswerable) as caught:
        read_object(page(text, 400), "Zoo")
    assert caught.value.message == f"Zoo refuses this search (400): {reason}"


@pytest.mark.parametrize("text", ["", "  ", "<!DOCTYPE html><title>Not found</title>", "[" * 100_000, "[]"])
def test_an_error_without_a_reason_is_a_changed_page(text):
    """A web page or an empty response with an error status shows its status: the service may have moved."""
    with pytest.raises(PageChanged, match=r"Zoo sent an error \(404\) without a reason") as caught:
        read_object(page(text, 404), "Zoo")
    assert caught.value.page == text


def test_a_long_reason_is_cut():
    """The length of a reason is limited."""
    assert len(read_reason(page("x" * 10**6, 400)) or "") <= 300


@pytest.mark.parametrize("value", [None, 7, "", [], {}, [[[[["deep"]]]]], {"\x00": 7}])
def test_V07_a_hostile_reason_is_no_reason(value):
    """A field that holds no text is not shown."""
    assert read_reason(page(json.dumps({"detail": value}), 400)) is None


@pytest.mark.parametrize("status", [401, 403])
def test_V01_a_refusal_is_a_block(status):
    """A refusal is `Blocked`, whatever its text."""
    with pytest.raises(Blocked):
        read_object(page("{}", status), "Zoo")
