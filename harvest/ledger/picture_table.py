"""The pictures of a ledger: which files there should be, and what each picture looks like."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from harvest.models import Licence, Look

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harvest.ledger import Ledger, Row

_HELD = "id, state, class, name, content, shelved, size, mtime_ns"
_KNOWN = (
    "face.id, picture.class, face.body, face.pixels, face.content, face.look,"
    " face.original_width * face.original_height, face.licence, picture.own OR picture.touched"
)


class Held(NamedTuple):
    """A picture's row as far as its file goes."""

    id: int
    state: str
    class_name: str
    name: str
    content: str
    shelved: int = 0
    size: int | None = None
    mtime_ns: int | None = None


class Known(NamedTuple):
    """A picture by which others are recognised; `protected` ones, which a person touched, keep their place.

    An edited picture is known by its earlier face too, under another id, which the ledger understands.
    """

    id: int
    class_name: str
    body: str | None
    pixels: str | None
    content: str
    look: Look | None
    area: int
    open_licence: bool
    protected: bool


class Pictures:
    """Answers questions about the pictures of one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    # Files.

    def files(self, *, shelved: bool = False) -> set[Row]:
        """Return class, name, size and time of every file that should be in the tree, or on the shelf."""
        if shelved:
            question = "SELECT class, name, size, mtime_ns FROM picture WHERE state = 'rejected' AND shelved"
        else:
            question = "SELECT class, name, size, mtime_ns FROM picture WHERE state = 'present'"
        return set(self._ledger.rows(question))

    def classes(self) -> list[str]:
        """Return the names of all classes there are pictures of or were searches for."""
        return [row[0] for row in self._ledger.rows("SELECT class FROM picture UNION SELECT name FROM class")]

    def at(self, spots: Iterable[Row], *, shelved: bool = False) -> list[Held]:
        """Return the pictures whose files should lie at these places (class, name, …)."""
        state = "rejected" if shelved else "present"
        return [
            Held(*row)
            for class_name, name, *_ in spots
            for row in self._ledger.rows(
                f"SELECT {_HELD} FROM picture WHERE state = ? AND shelved = ? AND class = ? AND name = ?",
                state,
                int(shelved),
                class_name,
                name,
            )
        ]

    def unexamined(self) -> list[Held]:
        """Return the pictures whose file nobody has looked at yet."""
        rows = self._ledger.rows(
            f"SELECT {_HELD} FROM picture"
            " WHERE NOT examined AND (+state = 'present' OR (+state = 'rejected' AND shelved))"
        )
        return [Held(*row) for row in rows]

    def placing(self) -> list[Held]:
        """Return the pictures that were announced and not confirmed."""
        return [
            Held(*row) for row in self._ledger.rows(f"SELECT {_HELD} FROM picture WHERE state = 'placing'")
        ]

    def with_content(self, contents: Iterable[str]) -> list[Held]:
        """Return the pictures of any of these contents that are present or can come back."""
        return [
            Held(*row)
            for content in contents
            for row in self._ledger.rows(
                f"SELECT {_HELD} FROM picture"
                " WHERE content = ? AND state IN ('present', 'rejected', 'lifted') ORDER BY id",
                content,
            )
        ]

    def held(self, picture: int) -> Held | None:
        """Return a picture's row, or the row of what took its place."""
        row = self._ledger.one(
            f"SELECT {_HELD} FROM picture WHERE id = (SELECT coalesce(became, id) FROM picture WHERE id = ?)",
            picture,
        )
        return Held(*row) if row else None

    def is_only(self, name: str, content: str) -> bool:
        """Tell whether no picture of another content ever had a name."""
        return (
            self._ledger.one("SELECT 1 FROM picture WHERE name = ? AND content <> ?", name, content) is None
        )

    def is_on_its_way(self, content: str) -> bool:
        """Tell whether a picture of this content is being moved by us."""
        question = (
            "SELECT 1 FROM pending CROSS JOIN picture ON id = picture WHERE action = 'move' AND content = ?"
        )
        return self._ledger.one(question, content) is not None

    def totals(self) -> dict[str, int]:
        """Count the present pictures of each class."""
        return dict(
            self._ledger.rows("SELECT class, count(*) FROM picture WHERE state = 'present' GROUP BY class")
        )

    # Looks.

    def known(self) -> Iterator[Known]:
        """Return the pictures on disk, and the earlier faces of those that were edited."""
        return self._known("present")

    def thrown_out(self) -> Iterator[Known]:
        """Return the rejected pictures, and their earlier faces."""
        return self._known("rejected")

    def looks(self, picture: int) -> Iterator[Look]:
        """Return how an image looks, and how it looked before each edit."""
        for (look,) in self._ledger.rows(
            "SELECT look FROM picture"
            " WHERE (id = ? OR (became = ? AND state = 'edited')) AND look IS NOT NULL",
            picture,
            picture,
        ):
            yield Look(look)

    def known_as(self, picture: int) -> Iterator[Known]:
        """Return a picture by which others are recognised from now on."""
        return self._faces("WHERE face.id = ?", picture)

    def _known(self, state: str) -> Iterator[Known]:
        return self._faces(
            f"WHERE face.state = ? UNION ALL SELECT {_KNOWN} FROM picture AS face"
            " JOIN picture ON picture.id = face.became WHERE face.state = 'edited' AND picture.state = ?",
            state,
            state,
        )

    def _faces(self, condition: str, *values: object) -> Iterator[Known]:
        faces = self._ledger.rows(
            f"SELECT {_KNOWN} FROM picture AS face JOIN picture ON picture.id = face.id {condition}", *values
        )
        for number, class_name, body, pixels, content, look, area, licence, protected in faces:
            yield Known(
                number,
                class_name,
                body,
                pixels,
                content,
                Look(look) if look else None,
                area or 0,
                _is_open(licence),
                bool(protected),
            )

    # Numbers.

    def kept(self, class_name: str) -> int:
        """Count the pictures of a class that are on disk."""
        return self._ledger.number(
            "SELECT count(*) FROM picture WHERE state = 'present' AND class = ?", class_name
        )

    def licence_known(self) -> int:
        """Count the pictures on disk whose source states their licence."""
        return self._ledger.number(
            "SELECT count(*) FROM picture JOIN hit ON hit.id = picture.hit"
            " WHERE state = 'present' AND evidence = 'stated'"
        )


@cache
def _is_open(licence: str | None) -> bool:
    return Licence(licence).is_open
