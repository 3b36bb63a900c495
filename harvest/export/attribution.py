"""ATTRIBUTION.csv and ATTRIBUTION.md: title, author, source and licence of every image, and what was changed."""

from __future__ import annotations

import csv
import io
from itertools import groupby
from typing import TYPE_CHECKING

from harvest.files import disk
from harvest.files.check_names_and_cells import escape_formula
from harvest.files.markdown_and_yaml import escape_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset, ExportImage

TABLE, TEXT = "ATTRIBUTION.csv", "ATTRIBUTION.md"
# The columns of Open Images, then ours. The size and MD5 of the download are not recorded: its SHA-256 is.
OPEN_IMAGES_COLUMNS = (
    *("ImageID", "Subset", "OriginalURL", "OriginalLandingURL", "License", "AuthorProfileURL", "Author", "Title"),
    *("OriginalSize", "OriginalMD5"),
)
OWN_COLUMNS = ("SPDX", "Changes", "Query", "Provider", "Evidence", "Class", "FileName", "SHA256", "OriginalSHA256")


def attribution_row(image: ExportImage, path: str | None = None) -> list[str]:
    """Return the values of an image at a path of the export, in the order of the columns, safe for a spreadsheet."""
    values = (
        *(image.stem, image.split, image.image_url, image.page_url, image.licence_url, image.author_url),
        *(image.author, image.title, "", ""),
        *(image.spdx, image.changes, image.query, image.provider, image.evidence),
        *(image.class_name, (path or image.file_name).rpartition("/")[2], image.content, image.original_sha256),
    )
    return [escape_formula(value) for value in values]


def write_attribution(dataset: ExportDataset, exporter: Exporter, folder: Path) -> None:
    """Write both files."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*OPEN_IMAGES_COLUMNS, *OWN_COLUMNS])
    table.writerows(attribution_row(image, exporter.image_path(image)) for image in dataset.images)
    disk.write(folder / TABLE, out.getvalue().encode())
    disk.write(folder / TEXT, "\n".join(_attribution_lines(dataset)).encode() + b"\n")


def _attribution_lines(dataset: ExportDataset) -> Iterator[str]:
    yield f"# Attribution of the images of {escape_markdown(dataset.name)}"
    yield ""
    yield (
        f"Each image belongs to its author. `{TABLE}` has the same data as a table, and `LICENSES/` the texts of the"
        " licences. NOASSERTION: the licence is not known. This is not legal advice."
    )
    for (split, name), images in groupby(dataset.images, lambda image: (image.split, image.class_name)):
        yield ""
        yield f"## {split}: {escape_markdown(name)}"
        yield ""
        for image in images:
            yield f"- {describe_image(image)}"


def describe_image(image: ExportImage) -> str:
    """Return title, author, source, licence and changes of an image as Markdown."""
    title = link(image.title or image.file_name, image.page_url or image.image_url)
    author = link(image.author, image.author_url) if image.author else "unknown author"
    licence = link(image.spdx, image.licence_url)
    evidence = f" ({image.evidence})" if image.evidence == "claimed" else ""
    changes = f"; changes: {image.changes}" if image.changes else ""
    return f"`{image.stem}`: {title} by {author}, {licence}{evidence}{changes}"


def link(text: str, url: str) -> str:
    """Return a Markdown link, or the text alone without an address."""
    return f"[{escape_markdown(text)}]({url})" if url else escape_markdown(text)
