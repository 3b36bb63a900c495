"""Print the lists of images that a person should check: conflicts, near-duplicates and unreadable files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli import console
from harvest.cli.shortened_lists import print_list
from harvest.counts_as_text import count_images

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harvest.dataset import Conflict, NearDuplicate, PageMismatch

_NAMED = 3  # images of a group


def print_conflicts(root: Path, conflicts: Sequence[Conflict], most: int | None, *, more: str) -> None:
    """Print the images that were found for two classes."""
    if conflicts:
        print(f"\n conflicts: {count_images(len({each.id for each in conflicts}))} found for two classes")
        print_list(
            conflicts, most, more=more, describe=lambda each: describe_mismatch(root, each, "was also found for")
        )
        print("   An image belongs to one class: decide with harvest review, or move or delete the file.")


def print_near_duplicates(
    root: Path, groups: Sequence[Sequence[NearDuplicate]], most: int | None, *, more: str
) -> None:
    """Print the groups of images that may be copies of each other."""
    if groups:
        print(f"\n near-duplicates: {count_images(sum(map(len, groups)))} that may be copies of each other")
        print_list(groups, most, more=more, describe=lambda group: _describe_group(root, group, most))
        print("   All are kept; train.py never splits them. If they are copies: harvest review, or delete all but one.")


def _describe_group(root: Path, group: Sequence[NearDuplicate], most: int | None) -> str:
    named = group if most is None else group[:_NAMED]
    more = f"  and {len(group) - len(named)} more" if len(group) > len(named) else ""
    return "  ".join(image_path(root, each) for each in named) + more


def print_unreadable(root: Path, unreadable: Sequence[tuple[str, str]], most: int | None, *, more: str) -> None:
    """Print the files that cannot be decoded."""
    if unreadable:
        print("\n unreadable: your own files that cannot be decoded; every command skips them")
        print_list(unreadable, most, more=more, describe=lambda each: console.one_line(root.joinpath(*each)))


def image_path(root: Path, image: NearDuplicate) -> str:
    """Return the path of an image as one printable line."""
    return console.one_line(root / image.class_name / image.name)


def describe_mismatch(root: Path, image: Conflict | PageMismatch, relation: str) -> str:
    """Return the path of an image, and its relation to another class."""
    return console.one_line(f"{root / image.class_name / image.name}  {relation} {image.other}")
