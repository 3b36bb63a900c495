"""The summary at the end of a run: a table whose columns add up to the hits found, and the next steps."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from harvest.cli import console
from harvest.cli.shortened_lists import print_next
from harvest.errors import KeyMissing
from harvest.harvesting.summary import (
    EXHAUSTED,
    FINISHED_EARLIER,
    LIMIT_REACHED,
    ProviderProblem,
    Summary,
    columns_in_use,
)
from harvest.verdicts import COLUMNS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harvest.harvesting.summary import SummaryLine

WIDTH = 80

MEANINGS = {**COLUMNS, "left": "left for the next run"}


def print_summary(summary: Summary, out: Path) -> None:
    """Print the summary of a run on stdout."""
    classes = [summary.of_class(name) for name in summary.classes]
    used = [name for name in columns_in_use(classes) if name != "new"]
    rows = [["class", "kept", "new", "found", *used]]
    totals = [summary.total()] if len(classes) > 1 else []
    rows += [_row(summary, line, used) for line in [*classes, *totals]]
    print_table(rows)
    print_facts([f"{name}: {MEANINGS[name]}" for name in used])
    print_facts(_facts(summary))
    for text in _print_problems(summary):
        print(console.printable(text))
    _print_next(summary, out)


def print_table(rows: Sequence[Sequence[str]], *, names: int = 1) -> None:
    """Print a table with the columns of names aligned left and numbers aligned right."""
    lines = [[console.one_line(cell) for cell in row] for row in rows]
    widths = [max(console.display_width(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = [
            console.pad(cell, width) if i < names else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print(" " + "  ".join(cells).rstrip())


def print_facts(facts: Sequence[str]) -> None:
    """Print short facts side by side, as many as fit on a line of the terminal."""
    lines: list[str] = []
    for fact in facts:
        if lines and len(lines[-1]) + len(fact) + 3 < WIDTH:
            lines[-1] += f" · {fact}"
        else:
            lines.append(f" {fact}")
    print("\n".join(lines), end="\n" if lines else "")


def _row(summary: Summary, line: SummaryLine, used: Sequence[str]) -> list[str]:
    kept = summary.kept.get(line.class_name, 0) if line.class_name else sum(summary.kept.values())
    columns = {**line.columns(), "left": line.left}
    numbers = [kept, columns["new"], line.found, *(columns[name] for name in used)]
    return [line.class_name, *(str(number) if number else "–" for number in numbers)]


def _facts(summary: Summary) -> list[str]:
    facts = [console.format_duration(summary.seconds), console.format_size(summary.bytes_read)]
    if kept := sum(summary.kept.values()):
        facts.append(f"licence known for {summary.licence_known} of {kept}")
    if summary.made_with_ai:
        facts.append(f"{summary.made_with_ai} made with AI, as their files state")
    if summary.conflicts:
        facts.append(f"{summary.conflicts} found for two classes")
    if summary.near_duplicates:
        facts.append(f"{summary.near_duplicates} may be copies of each other; harvest status lists them")
    if summary.set_aside:
        facts.append(f"{summary.set_aside} set aside as placeholders of a host")
    return facts


def _print_problems(summary: Summary) -> list[str]:
    """Return one line per problem: blocked, changed, without a key, or without results."""
    texts = [f" {_problem(problem)}" for problem in _without_repeats(summary.problems)]
    texts += [
        f" {line.provider.lower()} has no images for {line.class_name}; the search is complete"
        for line in summary.lines.values()
        if line.end == EXHAUSTED and not line.found
    ]
    texts += [
        f" {line.provider.lower()} was searched earlier: nothing new for {line.class_name}; --refresh searches again"
        for line in summary.lines.values()
        if line.end == FINISHED_EARLIER and not line.found and not summary.kept.get(line.class_name)
    ]
    texts += [f" {_short(summary, name)}" for name in summary.short_of_target]
    if summary.interrupted:
        texts.append(" stopped; run the same command again to continue")
    if private := summary.total().verdicts[Verdict.BLOCKED_ADDRESS]:
        texts.append(f" {private} private addresses were not contacted; --allow-private permits them")
    return texts + [f" {note}" for note in summary.notes]


def _short(summary: Summary, class_name: str) -> str:
    """Return why a class is below its target."""
    ends = {line.end for line in summary.lines.values() if line.class_name == class_name}
    if summary.interrupted:
        reason = ""
    elif LIMIT_REACHED in ends:
        reason = ": the limit -m is reached"
    else:
        reason = ": the sources have no more"
    return f"{class_name} has {summary.kept.get(class_name, 0)} of {summary.target}{reason}"


def _without_repeats(problems: Sequence[ProviderProblem]) -> list[ProviderProblem]:
    """Drop repeated problems: a provider that is unavailable fails for every class."""
    return list({(problem.provider, problem.error.message): problem for problem in problems}.values())


def _problem(problem: ProviderProblem) -> str:
    """Return a problem as one line; the hint for a missing key was printed before the run."""
    hint = "" if isinstance(problem.error, KeyMissing) else problem.error.hint.replace("\n", " ")
    return f"{problem.provider.lower()}: {problem.error.message}" + (f"  {hint}" if hint else "")


def _print_next(summary: Summary, out: Path) -> None:
    if summary.interrupted or summary.dry_run or not any(summary.kept.values()):
        return
    name = console.one_line(shlex.quote(str(out)))
    print()
    print_next(
        [
            (f"harvest review {name}", "see every image, and reject the wrong ones"),
            (f"harvest status {name}", "show which images to check, and what changed"),
        ]
    )
