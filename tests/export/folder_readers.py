"""The rules by which programs read class folders, as their documentation and source state them."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TORCHVISION = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
_TFDS = (".jpg", ".jpeg", ".png")
_RETRAIN = ("jpg", "jpeg", "JPG", "JPEG")
_MOST_IMAGES = 2**27 - 1  # of a class, in retrain.py


def read_as_torchvision(root: Path) -> tuple[list[str], list[tuple[Path, int]]]:
    """Read as `torchvision.datasets.ImageFolder(root, allow_empty=True)`: classes by name, then files by name."""
    classes = sorted(path.name for path in root.iterdir() if path.is_dir())
    samples = [
        (path, number)
        for number, name in enumerate(classes)
        for path in sorted((root / name).rglob("*"))
        if path.suffix.lower() in _TORCHVISION
    ]
    return classes, samples


def read_as_tfds(root: Path) -> dict[str, list[tuple[Path, str]]]:
    """Read as `tfds.ImageFolder(root)`: every folder with folders in it is a split, and those are its labels."""
    splits = defaultdict(list)
    for split in sorted(path for path in root.iterdir() if path.is_dir()):
        for label in sorted(path for path in split.iterdir() if path.is_dir()):
            splits[split.name].extend(
                (path, label.name) for path in sorted(label.iterdir()) if path.suffix.lower() in _TFDS
            )
    return dict(splits)


def read_as_retrain(root: Path, testing: int = 10, validation: int = 10) -> dict[str, dict[str, list[Path]]]:
    """Read as retrain.py: the label from the folder, and the split from a hash of the path up to `_nohash_`."""
    result: dict[str, dict[str, list[Path]]] = {}
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        files = [path for suffix in _RETRAIN for path in sorted((root / folder.name).glob(f"*.{suffix}"))]
        if not files:
            continue
        parts: dict[str, list[Path]] = {"validation": [], "testing": [], "training": []}
        for path in files:
            hashed = hashlib.sha1(re.sub(r"_nohash_.*$", "", str(path)).encode()).hexdigest()
            percentage = (int(hashed, 16) % (_MOST_IMAGES + 1)) * (100.0 / _MOST_IMAGES)
            if percentage < validation:
                parts["validation"].append(path)
            elif percentage < testing + validation:
                parts["testing"].append(path)
            else:
                parts["training"].append(path)
        result[re.sub(r"[^a-z0-9]+", " ", folder.name.lower())] = parts
    return result
