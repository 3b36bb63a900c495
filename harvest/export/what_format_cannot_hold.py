"""Find what a format cannot hold: types of images, and class names that its readers take for the same label."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

from harvest.counts_as_text import count
from harvest.export.place_image import read_start

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from harvest.export.records import ExportImage

_EXAMPLES = 3  # of the images that a message names
_HEADER = 64  # bytes that identify a format
_SUFFIXES = {"JPEG": "jpg", "jpeg": "jpg", "tif": "tiff"}
OTHER_FORMAT = "or export with --to hf, which holds every image"


def detect_type(image: ExportImage) -> str:
    """Return the type of an image as the usual suffix, such as "jpg", by its first bytes.

    The suffix of a file that a person added can be wrong. An unreadable file has the type of its suffix: placing it
    fails later, with the reason.
    """
    from harvest.images.detect_format import detect_format  # noqa: PLC0415 - with it comes Pillow, which `--help` does not load

    try:
        name = detect_format(read_start(image, _HEADER))
    except OSError:
        name = ""
    return _SUFFIXES.get(name, name.lower()) if isinstance(name, str) and name else suffix_type(image)


def suffix_type(image: ExportImage) -> str:
    """Return the suffix of an image in the export, without its dot; "jpg" for "jpeg"."""
    suffix = PurePath(image.file_name).suffix[1:].lower()
    return _SUFFIXES.get(suffix, suffix)


def find_other_types(images: Iterable[ExportImage], types: Collection[str], reader: str) -> Iterator[str]:
    """Yield a problem if there are images that the reader of a format skips or cannot decode."""
    others = [image for image in images if suffix_type(image) not in types or detect_type(image) not in types]
    if others:
        accepted = ", ".join(types).upper().replace("JPG", "JPEG")
        which = count(len(others), "image is", "images are")
        yield (
            f"{which} of another type: {_name_some(others)}. {reader} reads only {accepted}. Convert the files,"
            f" {OTHER_FORMAT}."
        )


def find_mixed_types(images: Iterable[ExportImage], reader: str) -> Iterator[str]:
    """Yield a problem if the images are of several types."""
    counts = Counter(map(detect_type, images))
    if len(counts) > 1:
        types = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
        yield f"the images are of several types: {types}. {reader}. Convert them to one type, {OTHER_FORMAT}."


def find_merged_classes(classes: Iterable[str], normalise: Callable[[str], str], reader: str) -> Iterator[str]:
    """Yield a problem for classes that the reader of a format reads as the same label."""
    names = defaultdict(list)
    for name in classes:
        names[normalise(name)].append(name)
    for label, merged in names.items():
        if len(merged) > 1:
            yield (
                f"the classes {' and '.join(map(repr, merged))} would become one class, {label!r}, in {reader}."
                " Rename the folder of one of them."
            )


def _name_some(images: list[ExportImage]) -> str:
    names = ", ".join(f"{image.class_name}/{image.path.name}" for image in images[:_EXAMPLES])
    return f"{names} and others" if len(images) > _EXAMPLES else names
