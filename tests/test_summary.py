"""The summary of a run."""

from __future__ import annotations

import pytest

from harvest.errors import Blocked, KeyMissing, Unavailable
from harvest.harvesting.summary import (
    EXHAUSTED,
    ProviderProblem,
    Summary,
    columns_in_use,
)
from harvest.verdicts import COLUMNS, Verdict


def _summary(*, kept: int = 1, providers: tuple[str, ...] = ("BING", "FLICKR")) -> Summary:
    return Summary(classes=("coral",), providers=providers, kept={"coral": kept})


def test_every_verdict_has_one_column():
    """Each verdict is counted in exactly one column, so that the columns add up."""
    assert {verdict.column for verdict in Verdict} == set(COLUMNS)


def test_columns_and_left_add_up_to_found():
    """The columns and what is left add up to the hits found, whatever the verdicts."""
    line = _summary().line("coral", "BING")
    line.found = 2 * len(Verdict) + 3
    for verdict in Verdict:
        line.verdicts[verdict] += 2

    assert sum(line.columns().values()) + line.left == line.found
    assert line.left == 3


def test_a_class_adds_up_over_its_providers():
    """A class's row is the sum of its lines, and the total the sum of the classes."""
    summary = _summary()
    summary.line("coral", "BING").found = 3
    summary.line("coral", "FLICKR").found = 4
    summary.line("king", "FLICKR").found = 5

    assert summary.of_class("coral").found == 7
    assert summary.total().found == 12


def test_columns_in_use_hides_empty_ones():
    """Only columns that count something are shown, `left` last."""
    line = _summary().line("coral", "BING")
    line.found = 3
    line.verdicts[Verdict.TIMEOUT] = 2

    assert columns_in_use([line]) == ["dead", "left"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"interrupted": True}, 130),
        ({"kept": {"coral": 0}}, 4),
        ({"target": 2}, 3),
        ({"problems": [ProviderProblem("BING", Blocked("a captcha"))]}, 3),
        ({"problems": [ProviderProblem("FLICKR", KeyMissing("needs a key"))]}, 3),
        (
            {
                "problems": [
                    ProviderProblem("BING", Unavailable("-")),
                    ProviderProblem("FLICKR", KeyMissing("-")),
                ]
            },
            5,
        ),
        ({"problems": [ProviderProblem("BING", Blocked("a captcha"))], "kept": {"coral": 0}}, 4),
    ],
)
def test_exit_code_tells_the_worst(change, code):
    """The exit code is that of the worst event, as the README lists them."""
    summary = _summary()
    for name, value in change.items():
        setattr(summary, name, value)

    assert summary.exit_code == code


def test_a_finished_dry_run_keeps_nothing_and_is_no_failure():
    """A dry run succeeds when it found something, though it keeps nothing."""
    summary = _summary(kept=0)
    summary.dry_run = True
    line = summary.line("coral", "BING")
    line.found, line.end = 3, EXHAUSTED

    assert summary.exit_code == 0


def test_json_uses_the_names_of_the_table():
    """`--json` has the same numbers under the same names."""
    summary = _summary()
    line = summary.line("coral", "BING")
    line.found, line.end = 5, EXHAUSTED
    line.verdicts[Verdict.KEPT] = 1
    line.verdicts[Verdict.GONE] = 2

    row = summary.as_json()["classes"][0]

    assert (row["kept"], row["new"], row["found"], row["dead"], row["left"]) == (1, 1, 5, 2, 2)
