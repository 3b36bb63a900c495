"""The YAML at the beginning of a dataset card, which the Hugging Face Hub reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.files.markdown_and_yaml import quote_yaml
from harvest.licences import NO_ASSERTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset

# The Creative Commons ids of the Hub's list, of its page "Licenses"; with any other id the licence is "other".
_LISTED = frozenset(
    {"cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nd-4.0"}
    | {"cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0"}
    | {"cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"}
)
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def front_matter(dataset: ExportDataset, exporter: Exporter) -> Iterator[str]:
    """Yield the lines of the YAML, with its markers."""
    yield "---"
    yield f"pretty_name: {quote_yaml(dataset.name)}"
    yield from _licence_lines(dataset)
    yield "task_categories:"
    yield "- image-classification"
    yield "size_categories:"
    yield f"- {quote_yaml(next((name for most, name in _SIZES if len(dataset.images) < most), '1M<n<10M'))}"
    patterns = {split: exporter.data_files(split) for split in dataset.splits}
    if all(patterns.values()):
        yield "configs:"
        yield "- config_name: default"
        yield "  data_files:"
        for split, pattern in patterns.items():
            yield f"  - split: {split}"
            yield f"    path: {quote_yaml(pattern)}"
    yield "---"


def _licence_lines(dataset: ExportDataset) -> Iterator[str]:
    ids = sorted(dataset.count_licences())
    if len(ids) == 1 and ids[0].lower() in _LISTED:
        yield f"license: {ids[0].lower()}"
        return
    if ids == [NO_ASSERTION]:
        yield "license: unknown"
        return
    yield "license: other"
    yield f"license_name: {quote_yaml(ids[0].lower() if len(ids) == 1 else 'several-licences')}"
    yield "license_link: ATTRIBUTION.md"
