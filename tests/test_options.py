"""The options of a run: declared once, and the same on the command line and in Python."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace

import pytest
from typer.main import get_command

from harvest import harvest
from harvest.cli.app import app
from harvest.cli.declared_options import as_keywords
from harvest.errors import UsageError
from harvest.licences import LicenceFilter
from harvest.models import Filters, Query, Recipe
from harvest.option_fields import all_options, from_keywords, own_fields
from harvest.options import RunOptions, unsupported_filters


def test_the_command_and_the_function_have_the_declared_options():
    """`harvest get` and `harvest()` offer every declared option, with its flags and default, and no other."""
    declared = {field.keyword: field for field in all_options(RunOptions)}
    command = {param.name: param for param in get_command(app).commands["get"].params}
    function = inspect.signature(harvest).parameters

    assert set(command) - {"queries", "as_json", "quiet", "verbose", "log"} == set(declared)
    assert set(function) - {"queries", "progress", "say"} == set(declared)
    for keyword, field in declared.items():
        assert command[keyword].opts == list(field.option.flags)
        assert command[keyword].help == field.option.help
        if keyword not in {"providers", "out"}:
            assert function[keyword].default == field.default
            assert f"    {keyword}: " in harvest.__doc__


def test_every_filter_is_an_option():
    """A filter cannot be forgotten on the command line: each field of `Filters` has a flag and a help text."""
    assert [field.name for field in own_fields(Filters)] == [field.name for field in fields(Filters)]
    assert all(field.option and field.option.help for field in own_fields(Filters))


def test_what_is_typed_becomes_the_options():
    """The words of a command line give the same options as the arguments of `harvest()`."""
    words = "q.csv -c bing -c flickr -p -s 500 -k --license open --since 2024-05-31 --ignore-opt-out --min-size 50"
    command = get_command(app).commands["get"]
    with command.make_context("get", words.split()) as context:
        typed = as_keywords(RunOptions, context.params)

    assert from_keywords(RunOptions, typed) == RunOptions(
        providers=("bing", "flickr"),
        recipe=Recipe(size=500, pad=False, keep_original=True, min_size=50),
        filters=Filters(licence=LicenceFilter.OPEN, since="2024-05-31", min_size=50),
        obey_opt_out=False,
    )


@pytest.mark.parametrize("day", ["yesterday", "2024-02-31"])
def test_what_is_not_a_day_is_refused_with_an_example(day):
    """The message about a wrong `--since` has the text and an example, and no date format."""
    command = get_command(app).commands["get"]
    with command.make_context("get", ["q.csv", "--since", day]) as context:
        typed = as_keywords(RunOptions, context.params)

    with pytest.raises(UsageError, match=f"since is '{day}'; it must be a day, such as 2024-05-31"):
        from_keywords(RunOptions, typed)


def test_a_query_keeps_its_own_filters():
    """The filters of a query win over those of the run, which fill in the rest."""
    options = RunOptions(filters=Filters(photos=True, colour="red", licence=LicenceFilter.OPEN))
    own = Filters(colour="blue", site="zoo.example")

    combined = options.apply_filters(Query("king", "king", filters=own)).filters

    assert combined == replace(own, photos=True, licence=LicenceFilter.OPEN)


def test_filters_that_are_not_supported_are_named_by_their_flags():
    """A provider's unsupported filters are those in use, without the size: that is checked after the download."""
    filters = Filters(licence=LicenceFilter.OPEN, language="de", min_size=10)

    assert unsupported_filters(filters, {"licence"}) == ["--lang"]
    assert unsupported_filters(Filters(), set()) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"size": 20_001}, "size is 20001; the maximum is 20,000"),
        ({"connections": 257}, "connections is 257; the maximum is 256"),
        ({"min_size": 0}, "min_size is 0; the minimum is 1"),
        ({"until": 2024}, "until is 2024; it must be a day"),
        ({"safe": "loud"}, "safe is 'loud'; it must be one of strict, moderate, off"),
        ({"since": "2025-01-02", "until": "2025-01-01"}, "since is 2025-01-02, which is after until, 2025-01-01"),
        ({"since": "20250102", "until": "2025-01-01"}, "since is 2025-01-02, which is after until, 2025-01-01"),
    ],
)
def test_values_out_of_range_are_refused(values, words):
    """A value that the command line would refuse is refused in Python too, by name."""
    with pytest.raises(UsageError, match=words):
        from_keywords(RunOptions, values)


def test_one_day_is_a_range():
    """The first and the last day may be the same."""
    assert Filters(since="2025-01-01", until="2025-01-01").until == "2025-01-01"


def test_a_query_cannot_end_before_its_run_begins():
    """The days of a query and those of its run are compared after they are combined."""
    options = RunOptions(filters=Filters(since="2025-01-02"))

    with pytest.raises(UsageError, match="after until"):
        options.apply_filters(Query("king", "king", filters=Filters(until="2025-01-01")))
