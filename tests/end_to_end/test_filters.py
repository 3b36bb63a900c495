"""Filters are given once and sent to the sources that support them; the other sources are named."""

from __future__ import annotations

from urllib.parse import unquote_plus

import pytest


def test_filters_reach_a_source_that_knows_them(internet, cli):
    """Bing's own parameters for photographs, a colour and a site are sent."""
    internet.bing.add_results("coral site:reef.example", 2)
    (cli.folder / "q.csv").write_text("class,query\ncoral,coral\n")

    cli("-c", "BING", "q.csv", "--photos", "--color", "red", "--site", "reef.example")

    asked = unquote_plus(internet.log.to("www.bing.com")[0].path)
    assert "filterui:photo-photo" in asked
    assert "color2-FGcls_RED" in asked
    assert "site:reef.example" in asked


@pytest.mark.usefixtures("internet")
def test_sources_without_support_for_a_filter_are_named(cli):
    """A source that does not support a filter is named with it, and is still harvested."""
    (cli.folder / "q.csv").write_text("class,query\nred,red circle\n")

    run = cli("-c", "SAMPLE", "q.csv", "-m", "3", "--photos", "--since", "2024-05-31")

    assert run.code == 0
    assert "Sample does not support --photos, --since" in run.err


@pytest.mark.usefixtures("internet")
def test_an_impossible_date_is_refused(cli):
    """An impossible date is a usage error."""
    (cli.folder / "q.csv").write_text("class,query\nred,red circle\n")

    assert cli("-c", "SAMPLE", "q.csv", "--since", "yesterday").code == 2


@pytest.mark.usefixtures("internet")
def test_a_range_of_days_that_ends_before_it_begins_is_refused(cli):
    """`--since` after `--until` is a usage error, and nothing is created."""
    (cli.folder / "q.csv").write_text("class,query\nred,red circle\n")

    run = cli("-c", "SAMPLE", "q.csv", "--since", "2025-01-02", "--until", "2025-01-01")

    assert run.code == 2
    assert "since is 2025-01-02, which is after until, 2025-01-01" in run.err
    assert not (cli.folder / "dataset").exists()
