"""README.md, the card of a dataset: what is in it, where it comes from, how it was cleaned, and what to beware of."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harvest.counts_as_text import count, count_images
from harvest.export import attribution, example_grid
from harvest.export.card_front_matter import front_matter
from harvest.export.records import OWN
from harvest.files import disk
from harvest.files.markdown_and_yaml import escape_markdown
from harvest.licences import NO_ASSERTION, Licence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset

FILE = "README.md"
_MOST = 30  # rows of a table
_UNEVEN = 5  # ratio of the largest to the smallest class
_FEW = 20  # images of a class
_DOMINATES = 0.1  # share of one host or author
_SOURCE_NAMES = {OWN: "added by hand"}


def write_card(dataset: ExportDataset, exporter: Exporter, folder: Path) -> None:
    """Write the card."""
    sections = (_summary, _examples, _splits, _licences, _sources, _cleaning, _limits)
    lines = [*front_matter(dataset, exporter), "", f"# {escape_markdown(dataset.name)}", ""]
    for section in sections:
        lines += [*section(dataset), ""]
    lines += [*_usage(exporter), ""]
    disk.write(folder / FILE, "\n".join(lines).encode())


def _summary(dataset: ExportDataset) -> Iterator[str]:
    facts = dataset.facts
    days = (
        f"on {facts.first_day}" if facts.first_day == facts.last_day else f"from {facts.first_day} to {facts.last_day}"
    )
    when = f", found {days}" if facts.first_day else ""
    classes = count(len(dataset.classes), "class", "classes")
    yield (f"{count_images(len(dataset.images))} of {classes} for image classification{when}. {_origin(dataset)}")


def _origin(dataset: ExportDataset) -> str:
    own = sum(image.provider == OWN for image in dataset.images)
    if own == len(dataset.images):
        return "The images were not found by a search: a person put them into the class folders."
    searched = "Image search engines and open archives were searched"
    searched += "; the queries are listed below." if dataset.facts.searches else "."
    return f"{searched} A person added {count_images(own)}." if own else searched


def _examples(dataset: ExportDataset) -> Iterator[str]:
    shown = ", ".join(escape_markdown(name) for name in example_grid.choose_examples(dataset))
    yield "## Examples"
    yield ""
    yield f"![A row of images for each of: {shown}]({example_grid.FILE})"
    yield ""
    yield f"From top to bottom: {shown}."


def _splits(dataset: ExportDataset) -> Iterator[str]:
    counts = Counter((image.class_name, image.split) for image in dataset.images)
    yield "## Classes and splits"
    yield ""
    rows = [[name, *(counts[name, split] for split in dataset.splits)] for name in dataset.classes]
    rows.append(["all", *(len(dataset.of_split(split)) for split in dataset.splits)])
    yield from _table(["class", *dataset.splits], rows)
    yield ""
    yield (
        "The split is by groups: duplicates and near-duplicates, images of one page, and images of one photographer"
        f" are in one split. {count(dataset.count_groups_across_splits(), 'group spans', 'groups span')} splits."
        f" Rule: {dataset.facts.split_rule}."
    )


def _licences(dataset: ExportDataset) -> Iterator[str]:
    yield "## Licences"
    yield ""
    evidence: dict[str, Counter[str]] = {}
    for image in dataset.images:
        evidence.setdefault(image.spdx, Counter())[image.evidence] += 1
    rows = [
        [licence, count, ", ".join(f"{number:,} {how}" for how, number in sorted(evidence[licence].items()))]
        for licence, count in dataset.count_licences().items()
    ]
    yield from _table(["licence", "images", "how it is known"], rows)
    yield ""
    yield (
        f"Each image belongs to its author. [{attribution.TEXT}]({attribution.TEXT}) names title, author, source,"
        f" licence and changes of each, [{attribution.TABLE}]({attribution.TABLE}) has the same as a table, and"
        ' `LICENSES/` has the texts. "Stated" means that the source states the licence, "claimed" that a search filter'
        f" does. {NO_ASSERTION} means that it is not known. This is not legal advice."
    )


def _sources(dataset: ExportDataset) -> Iterator[str]:
    yield "## Sources"
    yield ""
    providers = Counter(image.provider.lower() for image in dataset.images)
    rows: list[list[object]] = [[_SOURCE_NAMES.get(name, name), count] for name, count in providers.most_common()]
    yield from _table(["source", "images"], rows)
    if searches := dataset.facts.searches:
        kept = Counter((image.class_name, image.query, image.provider) for image in dataset.images)
        yield ""
        rows = [
            [*names, hits, kept[class_name, query, provider]]
            for class_name, query, provider, hits in searches
            for names in [(class_name, query, provider.lower())]
        ]
        yield from _table(["class", "query", "source", "results", "images here"], rows)


def _cleaning(dataset: ExportDataset) -> Iterator[str]:
    facts = dataset.facts
    reviewed = sum(image.is_reviewed for image in dataset.images)
    yield "## How it was cleaned"
    yield ""
    if facts.hits:
        copies = count(facts.duplicates, "was a copy", "were copies")
        yield f"* Of {count(facts.hits, 'result')}, {copies} of another image and dropped."
    yield f"* A person removed {count_images(facts.rejected)}."
    yield f"* A person reviewed {reviewed:,} of the {count_images(len(dataset.images))} ({_share(reviewed, dataset)})."
    if facts.near_duplicate_groups:
        groups = count(facts.near_duplicate_groups, "group of near-duplicates is", "groups of near-duplicates are")
        yield f"* {groups} kept, each in one split."
    for reason, number in facts.left_out.items():
        yield f"* {count_images(number)} left out of this export: {reason}."
    changes = Counter(image.changes for image in dataset.images if image.changes)
    if changes:
        yield f"* Images were changed; the most frequent change: {escape_markdown(changes.most_common(1)[0][0])}."


def _limits(dataset: ExportDataset) -> Iterator[str]:
    yield "## Known limits"
    yield ""
    if all(image.provider == OWN for image in dataset.images):
        yield "* The labels are the folders that a person put the images in."
    else:
        yield "* The labels come from search queries. Images that nobody reviewed may show something else."
    yield from _licence_limits(dataset)
    yield from _balance_limits(dataset)
    hosts = (urlsplit(image.page_url or image.image_url).hostname or "" for image in dataset.images)
    yield from _domination(dataset, "host", hosts)
    yield from _domination(dataset, "photographer", (image.author for image in dataset.images))
    made_with_ai = sum(image.is_ai_generated for image in dataset.images)
    stated = count(made_with_ai, "image states in its file that it was", "images state in their file that they were")
    yield f"* {stated} made with AI. Others may not state it."
    if conflicts := dataset.facts.open_conflicts:
        found = count(conflicts, "image was", "images were")
        yield f"* {found} found for two classes, and nobody decided which is right."


def _licence_limits(dataset: ExportDataset) -> Iterator[str]:
    if unknown := dataset.count_licences()[NO_ASSERTION]:
        yield f"* The licence of {count_images(unknown)} ({_share(unknown, dataset)}) is not known."
    forbidden = sum(Licence(image.licence or None).forbids_derivatives for image in dataset.images)
    if forbidden:
        yield (
            f"* The licence of {count_images(forbidden)} forbids derivatives. Whether a resized copy may be published"
            " is disputed: do not publish this export."
        )


def _balance_limits(dataset: ExportDataset) -> Iterator[str]:
    counts = Counter(image.class_name for image in dataset.images).most_common()
    (most, largest), (least, smallest) = counts[0], counts[-1]
    if largest >= _UNEVEN * smallest:
        yield (
            f"* The classes are uneven: {escape_markdown(most)} has {largest:,} images,"
            f" {escape_markdown(least)} has {smallest:,}."
        )
    few = [escape_markdown(name) for name, images in counts if images < _FEW]
    if few:
        yield f"* Classes with fewer than {_FEW} images: {', '.join(few[:_MOST])}."


def _domination(dataset: ExportDataset, kind: str, values: Iterable[str]) -> Iterator[str]:
    """Yield the hosts or photographers of a large share of all images."""
    for value, images in Counter(values).most_common(3):
        if value and images >= _DOMINATES * len(dataset.images):
            yield f"* One {kind}, {escape_markdown(value)}, has {_share(images, dataset)} of the images."


def _usage(exporter: Exporter) -> Iterator[str]:
    yield "## Load it"
    yield ""
    yield "```"
    yield exporter.reads
    yield "```"
    yield ""
    if exporter.advice:
        yield escape_markdown(exporter.advice)
        yield ""
    yield "`croissant.json` describes the records for Croissant, and `REUSE.toml` the licence of each file."


def _share(count: int, dataset: ExportDataset) -> str:
    return f"{count / len(dataset.images):.0%}"


def _table(header: list[str], rows: list[list[object]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'|'.join(['---'] * len(header))}|"
    for row in rows[:_MOST]:
        cells = (f"{cell:,}" if isinstance(cell, int) else escape_markdown(str(cell)) for cell in row)
        yield f"| {' | '.join(cells)} |"
    if len(rows) > _MOST:
        yield f"| … and {len(rows) - _MOST:,} more | {' | '.join([''] * (len(header) - 1))} |"
