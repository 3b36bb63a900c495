"""Small datasets filled without a web: hits and pictures made of numbers, placed as the pipeline does."""

from __future__ import annotations

import atexit
import hashlib
import io
import shutil
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from harvest.dataset import LIMIT_REACHED, Dataset, Placement
from harvest.licences import Licence
from harvest.models import FINGERPRINT_BYTES, Fingerprint, Hit, Picture, Query, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harvest.dataset import KnownPicture


@cache
def jpeg(number: int, size: int = 24) -> bytes:
    """Draw a small picture that differs from that of any other number."""
    noise = hashlib.shake_128(str(number).encode()).digest(64)
    image = Image.frombytes("L", (8, 8), noise).resize((size, size), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=90)
    return file.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def a_hit(number: int, provider: str = "BING", **more: object) -> Hit:
    url = f"https://pictures.example.com/{number}.jpg"
    return Hit(**{"url": url, "provider": provider, "source": f"url:{url}", "rank": number} | more)


def a_picture(number: int, *, size: int = 24, original: bytes | None = None) -> Picture:
    data = jpeg(number, size)
    return Picture(
        data=data,
        content=sha(data),
        body=sha(b"body" + data if original is None else original),
        pixels=sha(b"pixels" + data),
        fingerprint=Fingerprint((number.to_bytes(8, "big") * FINGERPRINT_BYTES)[:FINGERPRINT_BYTES]),
        width=size,
        height=size,
        original_width=size * 10,
        original_height=size * 10,
        original_format="PNG",
        original=original,
    )


def a_query(class_name: str = "king", text: str = "king snake") -> Query:
    return Query(text, class_name)


def find(dataset: Dataset, hits: Sequence[Hit], class_name: str = "king", text: str = "king snake") -> list[Task]:
    """Record hits of one search, and return what is to be fetched."""
    search = dataset.begin_search(a_query(class_name, text), hits[0].provider, len(hits))
    ways = dataset.record_hits(search.id, class_name, hits)
    dataset.finish_search(search.id, LIMIT_REACHED, len(hits))
    return [way for way in ways if isinstance(way, Task)]


def fill(dataset: Dataset, class_name: str, numbers: Iterable[int], provider: str = "BING") -> list[KnownPicture]:
    """Find and place one picture a number."""
    numbers = list(numbers)
    tasks = find(dataset, [a_hit(number, provider) for number in numbers], class_name, f"{class_name} snake")
    return dataset.place([Placement(task, a_picture(number)) for task, number in zip(tasks, numbers, strict=True)])


def new(root: Path, **classes: Iterable[int]) -> None:
    """Make a dataset with these pictures in these classes, and close it."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        for class_name, numbers in classes.items():
            fill(dataset, class_name, numbers)


def copied(root: Path, **classes: range) -> Path:
    """Make the same dataset as `new` by copying one that was made before, which takes a tenth of the time."""
    shutil.copytree(_template(**classes), root)
    with closing(sqlite3.connect(root / "harvest.db")) as ledger, ledger:
        ledger.execute("UPDATE dataset SET id = lower(hex(randomblob(16)))")
    return root


@cache
def _template(**classes: range) -> Path:
    folder = tempfile.TemporaryDirectory(prefix="datasets-")
    atexit.register(folder.cleanup)
    root = Path(folder.name) / "dataset"
    new(root, **classes)
    return root


def tree(root: Path) -> dict[str, bytes]:
    """Return every file below a folder but the ledger's own, by its path."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith("harvest.")
    }


def name(number: int, provider: str = "bing") -> str:
    """Return the file name under which a picture is placed."""
    return f"{provider}-{a_picture(number).content[:12]}.jpg"


def licensed(spdx: str) -> Licence:
    return Licence(spdx)
