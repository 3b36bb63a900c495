"""The files that every export has, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.export import attribution, licence_files

if TYPE_CHECKING:
    from pathlib import Path

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset


def write_common_files(dataset: ExportDataset, exporter: Exporter, folder: Path) -> None:
    """Write attribution and licences; REUSE.toml is last, because it lists the others."""
    attribution.write_attribution(dataset, folder)
    licence_files.write_licence_texts(dataset, folder)
    own_files = {attribution.TABLE, attribution.TEXT}
    licence_files.write_reuse_table(dataset, exporter, folder, own_files)
