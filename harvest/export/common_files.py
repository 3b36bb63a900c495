"""The files that every export has, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export import attribution, croissant, dataset_card, example_grid, licence_files

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset

OWN_FILES = frozenset({attribution.TABLE, attribution.TEXT, croissant.FILE, dataset_card.FILE})


def write_common_files(dataset: ExportDataset, exporter: Exporter, folder: Path) -> None:
    """Write attribution, card, description and licences; REUSE.toml is last, because it lists all files."""
    attribution.write_attribution(dataset, exporter, folder)
    example_grid.write_example_grid(dataset, folder)
    dataset_card.write_card(dataset, exporter, folder)
    croissant.write_croissant(dataset, exporter, folder)
    licence_files.write_licence_texts(dataset, folder)
    licence_files.write_reuse_table(dataset, exporter, folder, OWN_FILES)
