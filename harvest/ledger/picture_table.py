"""The pictures of a ledger: which files there should be, and what each picture looks like."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from harvest.licences import Licence
from harvest.models import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harvest.ledger.database import Ledger, Row

_ROW_COLUMNS = "id, state, class, name, content, shelved, size, mtime_ns"
_KNOWN_COLUMNS = (
    "face.id, picture.class, face.body, face.pixels, face.content, face.look,"
    " face.original_width * face.original_height, face.licence, picture.own OR picture.touched"
)


class PictureRow(NamedTuple):
    """A picture's row as far as its file goes."""

    id: int
    state: str
    class_name: str
    name: str
    content: str
    shelved: int = 0
    size: int | None = None
    mtime_ns: int | None = None


class KnownPicture(NamedTuple):
    """A picture by which others are recognised; `protected` ones, which a person touched, keep their place.

    An edited picture is known by its earlier face too, under another id, which the ledger understands.
    """

    id: int
    class_name: str
    body: str | None
    pixels: str | None
    content: str
    fingerprint: Fingerprint | None
    area: int
    open_licence: bool
    protected: bool


class PictureTable:
    """Answers questions about the pictures of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Files.

    def list_files(self, *, shelved: bool = False) -> set[Row]:
        """Return class, name, size and time of every file that should be in the tree, or on the shelf."""
        if shelved:
            question = "SELECT class, name, size, mtime_ns FROM picture WHERE state = 'rejected' AND shelved"
        else:
            question = "SELECT class, name, size, mtime_ns FROM picture WHERE state = 'present'"
        return set(self._ledger.rows(question))

    def list_classes(self) -> list[str]:
        """Return the names of all classes there are pictures of or were searches for."""
        return [row[0] for row in self._ledger.rows("SELECT class FROM picture UNION SELECT name FROM class")]

    def find_at(self, spots: Iterable[Row], *, shelved: bool = False) -> list[PictureRow]:
        """Return the pictures whose files should lie at these places (class, name, …)."""
        state = "rejected" if shelved else "present"
        return [
            PictureRow(*row)
            for class_name, name, *_ in spots
            for row in self._ledger.rows(
                f"SELECT {_ROW_COLUMNS} FROM picture WHERE state = ? AND shelved = ? AND class = ? AND name = ?",
                state,
                int(shelved),
                class_name,
                name,
            )
        ]

    def list_uninspected(self) -> list[PictureRow]:
        """Return the pictures whose file nobody has looked at yet."""
        rows = self._ledger.rows(
            f"SELECT {_ROW_COLUMNS} FROM picture"
            " WHERE NOT examined AND (+state = 'present' OR (+state = 'rejected' AND shelved))"
        )
        return [PictureRow(*row) for row in rows]

    def list_pending(self) -> list[PictureRow]:
        """Return the pictures that were announced and not confirmed."""
        return [
            PictureRow(*row) for row in self._ledger.rows(f"SELECT {_ROW_COLUMNS} FROM picture WHERE state = 'placing'")
        ]

    def find_by_content(self, contents: Iterable[str]) -> list[PictureRow]:
        """Return the pictures of any of these contents that are present or can come back."""
        return [
            PictureRow(*row)
            for content in contents
            for row in self._ledger.rows(
                f"SELECT {_ROW_COLUMNS} FROM picture"
                " WHERE content = ? AND state IN ('present', 'rejected', 'lifted') ORDER BY id",
                content,
            )
        ]

    def get_row(self, picture: int) -> PictureRow | None:
        """Return a picture's row, or the row of what took its place."""
        row = self._ledger.first_row(
            f"SELECT {_ROW_COLUMNS} FROM picture WHERE id = (SELECT coalesce(became, id) FROM picture WHERE id = ?)",
            picture,
        )
        return PictureRow(*row) if row else None

    def is_only(self, name: str, content: str) -> bool:
        """Tell whether no picture of another content ever had a name."""
        return self._ledger.first_row("SELECT 1 FROM picture WHERE name = ? AND content <> ?", name, content) is None

    def is_being_moved(self, content: str) -> bool:
        """Tell whether a picture of this content is being moved by us."""
        question = "SELECT 1 FROM pending CROSS JOIN picture ON id = picture WHERE action = 'move' AND content = ?"
        return self._ledger.first_row(question, content) is not None

    def count_by_class(self) -> dict[str, int]:
        """Count the present pictures of each class."""
        return dict(self._ledger.rows("SELECT class, count(*) FROM picture WHERE state = 'present' GROUP BY class"))

    # Looks.

    def list_present(self) -> Iterator[KnownPicture]:
        """Return the pictures on disk, and the earlier faces of those that were edited."""
        return self._list_known("present")

    def list_rejected(self) -> Iterator[KnownPicture]:
        """Return the rejected pictures, and their earlier faces."""
        return self._list_known("rejected")

    def looks(self, picture: int) -> Iterator[Fingerprint]:
        """Return how an image looks, and how it looked before each edit."""
        for (look,) in self._ledger.rows(
            "SELECT look FROM picture WHERE (id = ? OR (became = ? AND state = 'edited')) AND look IS NOT NULL",
            picture,
            picture,
        ):
            yield Fingerprint(look)

    def list_versions(self, picture: int) -> Iterator[KnownPicture]:
        """Return a picture by which others are recognised from now on."""
        return self._list_versions("WHERE face.id = ?", picture)

    def _list_known(self, state: str) -> Iterator[KnownPicture]:
        return self._list_versions(
            f"WHERE face.state = ? UNION ALL SELECT {_KNOWN_COLUMNS} FROM picture AS face"
            " JOIN picture ON picture.id = face.became WHERE face.state = 'edited' AND picture.state = ?",
            state,
            state,
        )

    def _list_versions(self, condition: str, *values: object) -> Iterator[KnownPicture]:
        faces = self._ledger.rows(
            f"SELECT {_KNOWN_COLUMNS} FROM picture AS face JOIN picture ON picture.id = face.id {condition}",
            *values,
        )
        for number, class_name, body, pixels, content, look, area, licence, protected in faces:
            yield KnownPicture(
                number,
                class_name,
                body,
                pixels,
                content,
                Fingerprint(look) if look else None,
                area or 0,
                _is_open(licence),
                bool(protected),
            )

    # Numbers.

    def count_present(self, class_name: str) -> int:
        """Count the pictures of a class that are on disk."""
        return self._ledger.scalar("SELECT count(*) FROM picture WHERE state = 'present' AND class = ?", class_name)

    def count_licensed(self) -> int:
        """Count the pictures on disk whose source states their licence."""
        return self._ledger.scalar(
            "SELECT count(*) FROM picture JOIN hit ON hit.id = picture.hit"
            " WHERE state = 'present' AND evidence = 'stated'"
        )


@cache
def _is_open(licence: str | None) -> bool:
    return Licence(licence).is_open
