"""LICENSES/ and REUSE.toml: the text of every licence, and which file has which licence, as reuse.software specifies.

The texts are those of the SPDX License List. A licence whose text harvest does not carry gets a note with its address.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from harvest import spdx
from harvest.files import disk
from harvest.licences import NO_ASSERTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harvest.export.exporter import Exporter
    from harvest.export.records import ExportDataset, ExportImage

FOLDER, TABLE = "LICENSES", "REUSE.toml"
METADATA_LICENCE = "CC0-1.0"  # of what harvest writes beside the images
UNKNOWN = f"{spdx.REFERENCE}{NO_ASSERTION}"  # REUSE accepts neither NOASSERTION nor LicenseRef-Unknown
_TEXTS = Path(__file__).with_name("licence_texts")
_NO_COPYRIGHT = ("CC0-", "CC-PDM-", "PDDL-", f"{spdx.REFERENCE}Public-Domain")
_UNKNOWN_TEXT = """\
The licence of these images is not known. No permission to use them is stated here.
Find out the licence at the source of an image, which ATTRIBUTION.csv lists, before you use it.
"""


def write_licence_texts(dataset: ExportDataset, folder: Path) -> None:
    """Write one file for each licence."""
    urls: dict[str, set[str]] = defaultdict(set)
    for image in dataset.images:
        urls[reuse_id(image)].update({image.licence_url} - {""})
    urls.setdefault(METADATA_LICENCE, set())
    disk.make_folder(folder / FOLDER)
    for licence in sorted(urls):
        disk.write(folder / FOLDER / f"{licence}.txt", licence_text(licence, sorted(urls[licence])).encode())


def licence_text(licence: str, urls: Iterable[str]) -> str:
    """Return the text of a licence, or a note where it is to be found."""
    if licence == UNKNOWN:
        return _UNKNOWN_TEXT
    path = _TEXTS / f"{licence}.txt"
    if path.is_file():
        return path.read_text("utf-8")
    listed = [] if licence.startswith(spdx.REFERENCE) else [f"https://spdx.org/licenses/{licence}.html"]
    lines = [f"Images with this id were published under: {licence.removeprefix(spdx.REFERENCE)}", ""]
    lines += ["The text of the licence is at:", *listed, *urls] if listed or [*urls] else ["Its text has no address."]
    return "\n".join(lines) + "\n"


def reuse_id(image: ExportImage) -> str:
    """Return the licence of an image, as REUSE accepts it."""
    return UNKNOWN if image.spdx == NO_ASSERTION else image.spdx


def write_reuse_table(dataset: ExportDataset, exporter: Exporter, folder: Path, own_files: Iterable[str]) -> None:
    """Write REUSE.toml for everything in the folder; `own_files` are the texts and tables that harvest wrote."""
    by_path = {path: image for image in dataset.images if (path := exporter.image_path(image)) is not None}
    annotations: dict[tuple[str, str], list[str]] = defaultdict(list)
    annotations["NONE", METADATA_LICENCE] += sorted(own_files)
    everything = " AND ".join(sorted({reuse_id(image) for image in dataset.images}))
    for path in _list_files(folder):
        if (image := by_path.get(path)) is not None:
            annotations[_copyright(image), reuse_id(image)].append(path)
        elif path not in own_files:
            annotations["The authors that ATTRIBUTION.csv lists", everything].append(path)
    text = "version = 1\n" + "".join(_annotation(*key, paths) for key, paths in sorted(annotations.items()))
    disk.write(folder / TABLE, text.encode())


def _list_files(folder: Path) -> Iterator[str]:
    """Yield the paths of all files but those that REUSE ignores."""
    for path, folders, names in os.walk(folder):
        folders.sort()
        here = Path(path).relative_to(folder).as_posix()
        if here == FOLDER:
            continue
        for name in sorted(names):
            if not name.startswith(".harvest-") and name != TABLE:
                yield name if here == "." else f"{here}/{name}"


def _copyright(image: ExportImage) -> str:
    if image.spdx.startswith(_NO_COPYRIGHT):
        return "NONE"
    return f"{image.author} {image.author_url}".strip() or "Unknown author"


def _annotation(copyright_text: str, licence: str, paths: list[str]) -> str:
    lines = [
        "",
        "[[annotations]]",
        f"path = [{', '.join(_quote(path) for path in paths)}]",
        'precedence = "override"',
        f"SPDX-FileCopyrightText = {_quote(copyright_text)}",
        f"SPDX-License-Identifier = {_quote(licence)}",
        "",
    ]
    return "\n".join(lines)


def _quote(text: str) -> str:
    """Return a TOML string: JSON's escapes are TOML's."""
    return json.dumps(text, ensure_ascii=False)
