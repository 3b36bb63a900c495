"""Filters are given once, reach the sources that know them, and the others are named."""

from __future__ import annotations

from urllib.parse import unquote_plus

import pytest


def test_filters_reach_a_source_that_knows_them(internet, cli):
    """Bing is asked in its own words for photographs of a colour, from one site."""
    internet.bing.shows("coral site:reef.example", 2)
    (cli.folder / "q.csv").write_text("class,query\ncoral,coral\n")

    cli("-c", "BING", "q.csv", "--photos", "--color", "red", "--site", "reef.example")

    asked = unquote_plus(internet.log.to("www.bing.com")[0].path)
    assert "filterui:photo-photo" in asked
    assert "color2-FGcls_RED" in asked
    assert "site:reef.example" in asked


@pytest.mark.usefixtures("internet")
def test_filters_that_a_source_does_not_know_are_said(cli):
    """A source that knows nothing of a filter is named with it, and harvests all the same."""
    (cli.folder / "q.csv").write_text("class,query\nred,red circle\n")

    run = cli("-c", "SAMPLE", "q.csv", "-m", "3", "--photos", "--since", "2024-05-31")

    assert run.code == 0
    assert "Sample does not support --photos, --since" in run.err


@pytest.mark.usefixtures("internet")
def test_a_day_that_is_none_is_refused(cli):
    """A day that there is not is a mistake on the line."""
    assert cli("-c", "SAMPLE", "q.csv", "--since", "yesterday").code == 2
