"""Make the records of an export: the labelled images, their split, and what the ledger knows of each."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from harvest.export.records import OWN, ExportImage
from harvest.files.check_names_and_cells import DIRECTION, check_component
from harvest.files.shard_files import Shards, name_shard
from harvest.labelled_pictures.find_files import SplitPart
from harvest.licences import Evidence, Licence
from harvest.models import AI_SOURCE_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from harvest.dataset import ImageProvenance
    from harvest.labelled_pictures.load_pictures import Example, LabelledPictures
    from harvest.splits.split_images import Split

_SPLITS = {SplitPart.TRAIN: "train", SplitPart.VALID: "validation", SplitPart.TEST: "test"}
_LONGEST_TEXT, _LONGEST_URL = 500, 2000  # characters
_LONGEST_STEM = 120  # bytes
_NOT_IN_NAMES = re.compile(r"[^\w-]+")
_UNSAFE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})


def collect_images(
    pictures: LabelledPictures, split: Split, provenance: Iterable[ImageProvenance]
) -> list[ExportImage]:
    """Return the images sorted by split, class and file name."""
    known = _index_provenance(provenance)
    names = _name_files(pictures.examples)
    images = []
    shards = Shards(pictures.root)
    for example, name, part, group in zip(pictures.examples, names, split.parts, split.groups, strict=True):
        path, place = pictures.root / example.path, None
        if (in_shard := pictures.in_shards.get(example.path)) is not None:
            place = in_shard.place
            path = shards.path(place.shard) or pictures.root / name_shard(place.shard)
        found = known.get((example.content, example.label)) or known.get((example.content, ""))
        image = ExportImage(
            path, name, example.label, _SPLITS[part], group, *example.size, _file_size(path), example.content, OWN
        )
        if place is not None:
            image = replace(image, bytes=place.length, shard=place.shard, offset=place.offset)
        images.append(_add_provenance(image, found) if found else image)
    order = {name: number for number, name in enumerate(_SPLITS.values())}
    return sorted(images, key=lambda image: (order[image.split], image.class_name, image.file_name))


def _index_provenance(provenance: Iterable[ImageProvenance]) -> dict[tuple[str, str], ImageProvenance]:
    """Index by content and class, and by content alone, for a folder whose spelling differs from the ledger's."""
    known: dict[tuple[str, str], ImageProvenance] = {}
    for row in provenance:
        known.setdefault((row.content, row.class_name), row)
        known.setdefault((row.content, ""), row)
    return known


def _add_provenance(image: ExportImage, found: ImageProvenance) -> ExportImage:
    """Return an image with what the ledger knows of it."""
    licence = Licence(found.licence or None)
    return replace(
        image,
        provider=clean_text(found.provider) or OWN,
        query=clean_text(found.query),
        rank=found.rank,
        page_url=clean_url(found.page_url),
        image_url=clean_url(found.image_url),
        title=clean_text(found.title),
        author=clean_text(found.author),
        author_url=clean_url(found.author_url),
        licence=licence.id or "",
        spdx=licence.spdx,
        licence_url=clean_url(found.licence_url),
        fetched=found.fetched,
        original_width=max(0, found.original_width),
        original_height=max(0, found.original_height),
        original_sha256=found.original_sha256,
        changes=describe_changes(found, image.width, image.height),
        evidence=found.evidence if found.evidence in set(Evidence) and licence.id else Evidence.UNKNOWN.value,
        is_ai_generated=found.source_type in AI_SOURCE_TYPES,
        rating=max(0, min(9, found.rating)),
        is_reviewed=bool(found.is_reviewed),
    )


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # reported when it is placed
        return 0


def describe_changes(found: ImageProvenance, width: int, height: int) -> str:
    """Return what was changed since the download, as CC licences ask for."""
    if not found.original_sha256 or found.original_sha256 == found.content:
        return "edited by hand" if found.is_edited else ""
    changes = []
    original = (found.original_width, found.original_height)
    if all(original) and max(original) != max(width, height):
        changes.append(f"resized to {max(width, height)} px")
    if width == height and original[0] != original[1]:
        changes.append("padded to a square")
    changes.append("re-encoded as JPEG")
    if found.is_edited:
        changes.append("edited by hand")
    return ", ".join(changes)


def clean_text(text: str) -> str:
    r"""Return text from outside as one line that every format can hold.

    >>> clean_text("King\nsnake\x1b[2J\u202e")
    'King snake[2J'
    """
    kept = (c for c in " ".join(text.split()) if unicodedata.category(c) not in _UNSAFE)
    return DIRECTION.sub("", "".join(kept))[:_LONGEST_TEXT].strip()


def clean_url(text: str) -> str:
    r"""Return a web address without a user name and password, or an empty text if it is not one.

    >>> clean_url("https://me:pw@example.org/a b"), clean_url("javascript:alert(1)")
    ('https://example.org/a%20b', '')
    >>> clean_url("https://example.org/\u202egnp")
    'https://example.org/%E2%80%AEgnp'
    """
    text = "".join(c for c in text.strip() if unicodedata.category(c) not in _UNSAFE)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme.lower() not in {"http", "https"} or not parts.hostname or len(text) > _LONGEST_URL:
        return ""
    url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    url = DIRECTION.sub(lambda match: quote(match[0]), url)
    return "".join(_PERCENT.get(c, c) for c in url)


# What would end an address in Markdown, TOML or HTML.
_PERCENT = {c: f"%{ord(c):02X}" for c in " \"'<>()[]`\\{}|^"}


def _name_files(examples: Iterable[Example]) -> Iterator[str]:
    """Yield a file name for each image: its own where every format can hold it, with a stem that no other has."""
    used: set[str] = set()
    for example in examples:
        stem, _, suffix = example.path.rpartition("/")[2].rpartition(".")
        stem = _clean_stem(stem) or example.content[:12]
        longer = f"{stem}-{example.content[:8]}"
        candidates = chain((stem, longer), (f"{longer}-{number}" for number in count(2)))
        stem = next(each for each in candidates if each.casefold() not in used)
        used.add(stem.casefold())
        yield f"{stem}.{suffix.lower()}"


def _clean_stem(stem: str) -> str:
    """Return a stem of letters, digits, `_` and `-`; empty if nothing useful is left."""
    stem = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFC", stem)).encode()[:_LONGEST_STEM].decode(errors="ignore")
    stem = stem.strip("_-")
    try:
        return check_component(stem)
    except ValueError:  # a device of Windows, for example
        return ""
