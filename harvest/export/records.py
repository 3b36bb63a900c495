"""The records of an export: its images, and the dataset that they form. Every format writes these records."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harvest.export.card_facts_from_ledger import CardFacts
from harvest.files.damaged_shard_images import DamagedShardImages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harvest.labelled_pictures.prediction_table import Prediction

OWN = "own"  # the provider of images that a person added
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class ExportImage:
    """One image of an export. Texts from outside are one clean line each; a missing text is empty."""

    path: Path  # of the file in the dataset: that of the image alone, or a shard
    file_name: str  # in the export: unique whatever the case, without a dot in the stem
    class_name: str
    split: str  # one of SPLITS
    group: int  # duplicates, pages and photographers: the images of a group are in the same split
    width: int
    height: int
    bytes: int
    content: str  # SHA-256 of the file
    provider: str = ""  # "own" for an image that a person added
    query: str = ""
    rank: int = 0
    page_url: str = ""
    image_url: str = ""
    title: str = ""
    author: str = ""
    author_url: str = ""
    licence: str = ""  # as the ledger stores it
    spdx: str = "NOASSERTION"
    licence_url: str = ""
    fetched: str = ""  # UTC, such as 2026-09-30T12:00:00Z
    original_width: int = 0  # 0: unknown
    original_height: int = 0
    original_sha256: str = ""
    changes: str = ""  # "resized to 500 px, re-encoded as JPEG"
    evidence: str = "unknown"  # how the licence is known: stated, claimed or unknown
    is_ai_generated: bool = False  # as its download stated
    rating: int = 0  # 1 to 9, by a person; 0: none
    is_reviewed: bool = False
    shard: int | None = None  # the number of its shard
    offset: int | None = None  # of its first byte in the shard

    @property
    def stem(self) -> str:
        """The file name without its suffix: the id of the image in the export."""
        return self.file_name.partition(".")[0]

    def metadata(self) -> dict[str, Any]:
        """Return what every format writes beside an image: simple values, none of them missing."""
        return {
            "id": self.stem,
            "group": self.group,
            "width": self.width,
            "height": self.height,
            "sha256": self.content,
            "provider": self.provider,
            "query": self.query,
            "rank": self.rank,
            "image_url": self.image_url,
            "page_url": self.page_url,
            "title": self.title,
            "author": self.author,
            "author_url": self.author_url,
            "license": self.spdx,
            "license_url": self.licence_url,
            "license_evidence": self.evidence,
            "changes": self.changes,
            "fetched": self.fetched,
            "original_width": self.original_width,
            "original_height": self.original_height,
            "original_sha256": self.original_sha256,
            "is_ai_generated": self.is_ai_generated,
            "rating": self.rating,
            "is_reviewed": self.is_reviewed,
        }


@dataclass(frozen=True, slots=True)
class ExportDataset:
    """The images of an export, sorted by split, class and file name."""

    name: str
    classes: tuple[str, ...]  # sorted; each has an image
    images: tuple[ExportImage, ...]
    facts: CardFacts = field(default_factory=CardFacts, repr=False)
    # by content: what the newest training run predicts for images that it was not trained on
    predictions: Mapping[str, Prediction] = field(default_factory=dict, repr=False)
    damaged: DamagedShardImages = field(default_factory=DamagedShardImages, repr=False)  # left out

    def of_split(self, split: str) -> tuple[ExportImage, ...]:
        """Return the images of a split."""
        return tuple(image for image in self.images if image.split == split)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have images, in the order of SPLITS."""
        used = {image.split for image in self.images}
        return tuple(split for split in SPLITS if split in used)

    @property
    def labels(self) -> dict[str, int]:
        """The number of each class, as ClassLabel counts them."""
        return {name: number for number, name in enumerate(self.classes)}

    def count_licences(self) -> Counter[str]:
        """Return the number of images with each SPDX id, the most frequent first."""
        return Counter(dict(Counter(image.spdx for image in self.images).most_common()))

    def count_groups_across_splits(self) -> int:
        """Return the number of groups with images in several splits: 0, unless a person made the splits."""
        splits = defaultdict(set)
        for image in self.images:
            splits[image.group].add(image.split)
        return sum(len(found) > 1 for found in splits.values())
