"""The tables of a dataset that is rebuilt: what it is rebuilt from, the expected images, and the result of each.

The images of a recipe are expected first, all in one transaction, and then downloaded like any other hits. So a run
that was killed continues where it ended.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from harvest import __version__, photo_keys
from harvest.ledger import hit_table
from harvest.ledger.class_table import adopt_class
from harvest.ledger.database import now
from harvest.ledger.fingerprint_table import save_fingerprint
from harvest.ledger.image_output_settings import dump_transform, load_transform
from harvest.models import Recipe, Task
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    from harvest.ledger.database import Ledger
    from harvest.models import Fingerprint, Hit

_PLACED = f"('{Verdict.KEPT}', '{Verdict.BETTER}')"
_LEFT = "(result IS NULL OR (result <> 'same' AND NOT settled))"


class SearchEnd(NamedTuple):
    """How many hits a search was asked for, how it ended, and when."""

    asked: int
    ending: str
    ended: str | None


class ExpectedImage(NamedTuple):
    """An image to rebuild: its class, how it is written, and the hashes that it had."""

    class_name: str
    recipe: Recipe
    content: str
    is_rendered: bool
    body: str | None
    pixels: str | None
    original_width: int | None
    original_height: int | None
    is_touched: bool = False
    is_reviewed: bool = False
    rating: int | None = None
    ended: str | None = None  # when its source was last asked


class _Placed(NamedTuple):
    """An expected image, and the picture that was placed for it."""

    image: int
    picture: int
    content: str
    before: str
    is_rendered: int
    transform: str
    touched: int
    reviewed: int
    rating: int | None


_KNOWN = (
    "known.id, picture.id, picture.content, known.content, known.rendered, known.transform, known.touched,"
    " known.reviewed, known.rating"
)


class LeftImage(NamedTuple):
    """An expected image without a result: the task to place it for, and its content."""

    task: Task
    content: str


class RejectedImage(NamedTuple):
    """A rejected image to record; `name` is for people, as there is no file."""

    class_name: str
    name: str
    content: str
    body: str | None
    pixels: str | None
    fingerprint: Fingerprint | None = None
    is_own: bool = False


class ForeignDecision(NamedTuple):
    """A decision that was made in another dataset, about the image with this content."""

    at: str
    content: str
    action: str
    source: str | None = None
    target: str | None = None
    value: str | None = None


class RebuildResult(NamedTuple):
    """The result of an expected image, or `None` if it was not tried yet."""

    class_name: str
    url: str | None
    result: str | None
    detail: str


class RebuildTable:
    """The statements about one ledger; `run` is the current run."""

    run: int | None = None

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._runs: dict[str, int] = {}  # by transform

    def transaction(self) -> AbstractContextManager[None]:
        """Make the block one transaction."""
        return self._ledger.transaction()

    # What the dataset is rebuilt from.

    def digest(self) -> str | None:
        """Return the digest of what the dataset is rebuilt from, or `None`."""
        row = self._ledger.first_row("SELECT digest FROM recipe")
        return None if row is None else str(row[0])

    def begin(self, digest: str) -> None:
        """Record what the dataset is rebuilt from."""
        self._ledger.execute("INSERT INTO recipe (digest) VALUES (?)", digest)

    def is_finished(self) -> bool:
        """Return whether a render or a merge is complete."""
        return bool(self._ledger.scalar("SELECT count(*) FROM recipe WHERE finished IS NOT NULL"))

    def finish(self) -> None:
        """Record that a render or a merge is complete."""
        with self._ledger.transaction():
            self._ledger.execute("UPDATE recipe SET finished = ?", now())

    def is_empty(self) -> bool:
        """Return whether the ledger has neither searches nor pictures."""
        return self._ledger.first_row("SELECT 1 FROM search UNION ALL SELECT 1 FROM picture LIMIT 1") is None

    # What is expected.

    def add_search(self, provider: str, class_name: str, text: str, filters: Mapping[str, Any], end: SearchEnd) -> int:
        """Add a search, or return the same one that is there already; the larger one says how it ended."""
        adopt_class(self._ledger, class_name)
        key = (provider, class_name, text, json.dumps(dict(filters), sort_keys=True))
        condition = "WHERE provider = ? AND class = ? AND text = ? AND filters = ?"
        found = self._ledger.first_row(f"SELECT id, asked FROM search {condition}", *key)
        if found is None:
            return self._ledger.execute(
                "INSERT INTO search (provider, class, text, filters, asked, ending, ended)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                *key,
                *end,
            )
        if end.asked > found[1]:
            self._ledger.execute("UPDATE search SET asked = ?, ending = ?, ended = ? WHERE id = ?", *end, found[0])
        return int(found[0])

    def add_result(self, search: int, class_name: str, hit: Hit, verdict: Verdict | None) -> int:
        """Add a result with its verdict, or return the same one that is there already."""
        source = hit.source or photo_keys.source_key(hit.url)
        found = self._ledger.first_row("SELECT id FROM hit WHERE search = ? AND source = ?", search, source)
        if found is not None:
            return int(found[0])
        number = hit_table.insert_hit(self._ledger, search, class_name, hit, (photo_keys.source_key(hit.url), source))
        self._ledger.execute("UPDATE hit SET verdict = ? WHERE id = ?", verdict, number)
        return number

    def expect_image(self, hit: int | None, image: ExpectedImage) -> int:
        """Add an image to rebuild; its hit is downloaded again."""
        number = self._ledger.execute(
            "INSERT INTO expected_image (hit, class, transform, content, rendered, body, pixels, original_width,"
            f" original_height, touched, reviewed, rating, result, detail) VALUES ({', '.join('?' * 14)})",
            hit,
            image.class_name,
            dump_transform(image.recipe),
            image.content,
            int(image.is_rendered),
            image.body,
            image.pixels,
            image.original_width,
            image.original_height,
            int(image.is_touched),
            int(image.is_reviewed),
            image.rating,
            None if hit is not None else "gone",
            "" if hit is not None else "no address: a person added it, or its address is not public",
        )
        if hit is not None:
            self._ledger.execute("UPDATE hit SET verdict = NULL, picture = NULL WHERE id = ?", hit)
        return number

    def link_result(self, hit: int, image: int) -> None:
        """Record that another result gave an expected image."""
        self._ledger.execute("INSERT OR IGNORE INTO expected_source (hit, image) VALUES (?, ?)", hit, image)

    def add_rejection(self, image: RejectedImage, hits: list[int]) -> int:
        """Add a rejected image without a file, unless it is there already, and link its results."""
        found = self._ledger.first_row(
            "SELECT id FROM picture WHERE state = 'rejected' AND content = ? AND class = ?",
            image.content,
            image.class_name,
        )
        number = int(found[0]) if found is not None else self._insert_rejection(image)
        self._ledger.execute_many("UPDATE hit SET picture = ? WHERE id = ?", ((number, hit) for hit in hits))
        return number

    def _insert_rejection(self, image: RejectedImage) -> int:
        number = self._ledger.execute(
            "INSERT INTO picture (state, class, name, content, body, pixels, own, run, at)"
            " VALUES ('rejected', ?, ?, ?, ?, ?, ?, ?, ?)",
            image.class_name,
            image.name,
            image.content,
            image.body,
            image.pixels,
            int(image.is_own),
            self.run,
            now(),
        )
        if image.fingerprint is not None:
            save_fingerprint(self._ledger, number, image.fingerprint.data)
        return number

    def add_decision(self, decision: ForeignDecision) -> None:
        """Add a decision from elsewhere, which is not undone here; its picture is found when it is placed."""
        self._ledger.execute(
            'INSERT INTO decision (at, content, action, "from", "to", value, by, session, batch)'
            " VALUES (?, ?, ?, ?, ?, ?, 'recipe', '', (SELECT coalesce(max(seq), 0) + 1 FROM decision))",
            *decision,
        )

    def add_split(self, rule: str, content: str, part: str) -> None:
        """Add the part of an image in trainings; of two parts, `test` stays before `train` before `valid`."""
        self._ledger.execute(
            "INSERT INTO split (deal, content, part) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET part = min(part, excluded.part)",
            rule,
            content,
            part,
        )

    # What is left to do.

    def classes(self) -> list[str]:
        """Return the classes that have images to download."""
        rows = self._ledger.rows("SELECT DISTINCT class FROM expected_image WHERE hit IS NOT NULL ORDER BY 1")
        return [row[0] for row in rows]

    def tasks(self, class_name: str) -> list[Task]:
        """Return the images that are left to download for a class, as tasks for the class that the image is in now."""
        rows = self._ledger.rows(
            f"SELECT hit.id, {hit_table.COLUMNS} FROM expected_image JOIN hit ON hit.id = expected_image.hit"
            f" WHERE expected_image.class = ? AND expected_image.run IS NOT ? AND {_LEFT} ORDER BY hit.id",
            class_name,
            self.run,
        )
        loaded = [(row[0], hit_table.load_hit(self._ledger, row[0], tuple(row[1:]))) for row in rows]
        return [Task(number, class_name, hit) for number, hit in loaded if hit is not None]

    def expected_images(self) -> dict[int, ExpectedImage]:
        """Return the images that are left to download, by their hits."""
        rows = self._ledger.rows(
            "SELECT hit.id, expected_image.class, transform, expected_image.content, rendered, body, pixels,"
            " original_width, original_height, touched, reviewed, rating, ended"
            " FROM expected_image JOIN hit ON hit.id = expected_image.hit JOIN search ON search.id = hit.search"
            f" WHERE {_LEFT}"
        )
        recipes = {row[2]: load_transform(row[2]) or Recipe(min_size=1) for row in rows}
        return {row[0]: ExpectedImage(row[1], recipes[row[2]], *row[3:]) for row in rows}

    def licences(self) -> dict[int, str | None]:
        """Return the licence of each hit that states one."""
        return dict(self._ledger.rows("SELECT id, licence FROM hit WHERE licence IS NOT NULL"))

    def count_verdicts(self) -> dict[str, int]:
        """Return the number of expected images by the verdict of their hits."""
        rows = self._ledger.rows(
            "SELECT verdict, count(*) FROM expected_image JOIN hit ON hit.id = expected_image.hit GROUP BY verdict"
        )
        return {str(verdict): count for verdict, count in rows}

    def list_left(self, most: int, *, touched: bool) -> list[LeftImage]:
        """Return the first expected images without a result that a person decided about, or no person did."""
        rows = self._ledger.rows(
            f"SELECT hit.id, expected_image.class, content, {hit_table.COLUMNS} FROM expected_image"
            " JOIN hit ON hit.id = expected_image.hit WHERE result IS NULL AND touched = ?"
            " ORDER BY expected_image.id LIMIT ?",
            int(touched),
            most,
        )
        loaded = [(row[:3], hit_table.load_hit(self._ledger, row[0], tuple(row[3:]))) for row in rows]
        return [LeftImage(Task(key[0], key[1], hit), key[2]) for key, hit in loaded if hit is not None]

    def is_present(self, class_name: str, content: str) -> bool:
        """Return whether a class has an image with this content."""
        query = "SELECT 1 FROM picture WHERE content = ? AND class = ? AND state IN ('present', 'placing')"
        return self._ledger.first_row(query, content, class_name) is not None

    # What was done.

    def record_results(self, results: list[tuple[int, str, str]]) -> None:
        """Record hit, result and detail of expected images that gave no image to place."""
        with self._ledger.transaction():
            self._ledger.execute_many(
                "UPDATE expected_image SET result = ?, detail = ?, run = ? WHERE hit = ?",
                ((result, detail, self.run, hit) for hit, result, detail in results),
            )

    def settle_placed(self) -> None:
        """Settle the images that a killed run placed."""
        rows = self._ledger.rows(
            "SELECT hit.id FROM expected_image JOIN hit ON hit.id = expected_image.hit"
            f" WHERE NOT settled AND verdict IN {_PLACED}"
        )
        self.settle([row[0] for row in rows])

    def settle(self, hits: list[int]) -> None:
        """Give pictures that were placed what is known of them, and record whether they are the same as before."""
        condition = f"JOIN picture ON picture.id = hit.picture WHERE known.hit = ? AND hit.verdict IN {_PLACED}"
        with self._ledger.transaction():
            for hit in hits:
                row = self._ledger.first_row(
                    f"SELECT {_KNOWN} FROM expected_image AS known JOIN hit ON hit.id = known.hit {condition}", hit
                )
                if row is not None:
                    self._settle(_Placed(*row))

    def settle_own(self) -> None:
        """Settle the images without a source whose files a person, or a merge, has put in their classes."""
        rows = self._ledger.rows(
            f"SELECT {_KNOWN} FROM expected_image AS known JOIN picture"
            " ON picture.content = known.content AND picture.class = known.class AND picture.state = 'present'"
            " WHERE known.hit IS NULL AND NOT settled"
        )
        with self._ledger.transaction():
            for row in rows:
                placed = _Placed(*row)
                self._settle(placed)
                self._ledger.execute(
                    "UPDATE picture SET hit = (SELECT min(hit) FROM expected_source WHERE image = ?)"
                    " WHERE id = ? AND hit IS NULL",
                    placed.image,
                    placed.picture,
                )

    def _settle(self, placed: _Placed) -> None:
        write = self._ledger.execute
        write(
            "UPDATE picture SET touched = max(touched, ?), reviewed = max(reviewed, ?), rating = ?, examined = 0,"
            " run = ? WHERE id = ?",
            placed.touched,
            placed.reviewed,
            placed.rating,
            self._find_run(placed.transform),
            placed.picture,
        )
        others = "SELECT hit FROM expected_source WHERE image = ?"
        write(f"UPDATE hit SET picture = ? WHERE id IN ({others})", placed.picture, placed.image)
        write("UPDATE decision SET picture = ? WHERE picture IS NULL AND content = ?", placed.picture, placed.before)
        if placed.content != placed.before:
            write(
                "INSERT OR IGNORE INTO split SELECT deal, ?, part FROM split WHERE content = ?",
                placed.content,
                placed.before,
            )
        is_same = placed.is_rendered or placed.content == placed.before
        write(
            "UPDATE expected_image SET settled = 1, run = ?, result = ?, detail = ? WHERE id = ?",
            self.run,
            "same" if is_same else "changed",
            "" if is_same else "placed: the same image, whose file was edited or written by another version",
            placed.image,
        )

    def _find_run(self, transform: str) -> int:
        """Return a run that writes images in this way: the recipe of this dataset needs it."""
        if transform not in self._runs:
            row = self._ledger.first_row("SELECT id FROM run WHERE transform = ?", transform)
            self._runs[transform] = (
                int(row[0])
                if row
                else self._ledger.execute(
                    "INSERT INTO run (began, ended, version, transform) VALUES (?1, ?1, ?2, ?3)",
                    now(),
                    __version__,
                    transform,
                )
            )
        return self._runs[transform]

    def settle_changed(self, hits: list[int]) -> None:
        """Be done with hits that gave another image than expected, which was placed: nothing is known of that one."""
        with self._ledger.transaction():
            self._ledger.execute_many(
                "UPDATE expected_image SET settled = 1, run = ? WHERE hit = ?"
                f" AND (SELECT verdict FROM hit WHERE id = expected_image.hit) IN {_PLACED}",
                ((self.run, hit) for hit in hits),
            )

    def results(self) -> Iterator[RebuildResult]:
        """Yield the result of every expected image."""
        for row in self._ledger.rows(
            "SELECT expected_image.class, url, result, expected_image.detail"
            " FROM expected_image LEFT JOIN hit ON hit.id = expected_image.hit ORDER BY expected_image.id"
        ):
            yield RebuildResult(*row)

    def count_results(self) -> dict[str | None, int]:
        """Return the number of expected images by result."""
        return dict(self._ledger.rows("SELECT result, count(*) FROM expected_image GROUP BY result"))
