"""A small dataset for exports, with everything that an export has to write."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from harvest.dataset import Dataset, Placement
from harvest.duplicates.fingerprint import compute_fingerprint
from harvest.ledger.decision_kinds import Action
from harvest.licences import Evidence, Licence, LicenceFilter
from tests.datasets import a_hit, a_picture, fill, find, jpeg

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '=HYPERLINK("http://evil.example","x")\n| [a](javascript:x) <b> \x1b[2J\u202egpj.exe "quoted" \\ ]]>'
OPEN = Licence("CC-BY-2.0", "https://creativecommons.org/licenses/by/2.0/", Evidence.STATED)
NO_DERIVATIVES = Licence("CC-BY-ND-2.0", "https://creativecommons.org/licenses/by-nd/2.0/", Evidence.STATED)
PORTED = Licence("CC-BY-3.0-BR", "https://creativecommons.org/licenses/by/3.0/br/", Evidence.STATED)
ZERO = Licence("CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/", Evidence.STATED)
CLAIMED = Licence.from_filter(LicenceFilter.OPEN)
RATED, REVIEWED = 9, 5


def make_dataset(root: Path) -> Path:
    """Make a dataset: 20 images of unknown licence, and one or more of each special case."""
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        fill(dataset, "king", range(10))
        fill(dataset, "coral", range(100, 110))
        for number, licence in enumerate((OPEN, OPEN, NO_DERIVATIVES, PORTED, ZERO, CLAIMED), 200):
            place(dataset, number, "coral", licence=licence, author=f"Ada {number}", title="A coral snake")
        for number in (210, 211, 212):  # one photographer: one group
            place(dataset, number, "king", licence=OPEN, author="Grace", author_url="https://flickr.com/people/grace")
        place(dataset, 220, "king", licence=OPEN, author="Eve | *", title=HOSTILE, page="https://example.org/a(b)|c")
        images = {row.name: row.id for row in dataset.review_rows()}
        dataset.decide(Action.RATE, [next(iter(images.values()))], by="page", value=7)
    (root / "king" / "my own (1).v2.jpg").write_bytes(jpeg(300))
    return root


def place(dataset: Dataset, number: int, class_name: str, **facts: object) -> None:
    """Place one image whose hit has these facts."""
    page = facts.pop("page", f"https://flickr.com/photos/someone/{number}")
    (task,) = find(dataset, [a_hit(number, "FLICKR", page=page, **facts)], class_name, f"{class_name} wild")
    picture = a_picture(number)
    with Image.open(io.BytesIO(picture.data)) as image:
        picture = replace(picture, fingerprint=compute_fingerprint(image))
    dataset.place([Placement(task, picture)])
