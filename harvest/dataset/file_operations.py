"""Place and move pictures so that a kill at any moment loses nothing: announce, carry out, confirm.

The next process that opens the dataset completes changes that were announced and carried out; a placement that was
not carried out is dropped, and its hit is left for the next run.

The name of a part file is recorded before the part file is renamed. After a kill, a recorded part file that still
exists was not renamed; one that is gone was renamed, so its image was in the class folder, and a person deleted, moved
or edited it since. Without the record, this would look like a placement that was never carried out.

Images in shards need no announcement: the transaction that records them ends the shard behind them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from harvest.dataset.write_shards import make_sample
from harvest.errors import CannotWrite
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.ledger import hit_table, pending_changes, picture_updates, shard_table
from harvest.ledger.near_duplicate_table import add_near_duplicates
from harvest.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.dataset.write_shards import ShardWriter
    from harvest.files.place_and_list_files import Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.pending_changes import PendingMove, PendingPlacement
    from harvest.ledger.picture_table import KnownPicture, PictureRow, PictureTable
    from harvest.models import Picture, Task

# Characters of the content hash in a file name; more only where two names would be equal.
_LENGTHS = (12, 16, 24, 64)
_MOVES = 512  # files moved per transaction, half a second: other writers wait for one transaction at most


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture to place for a task, and the worse copy that it replaces."""

    task: Task
    picture: Picture
    replaces: KnownPicture | None = None
    similar: tuple[int, ...] = ()  # pictures that may be copies of it


class _Announced(NamedTuple):
    """The id and the file name of an announced picture."""

    id: int
    name: str


class FileOperations:
    """Changes files, and records every change in the ledger before and after."""

    run: int | None = None
    uses_shards = False  # for new images; a better copy is placed where the worse one is

    def __init__(self, ledger: Ledger, pictures: PictureTable, tree: Tree, shards: ShardWriter) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._tree = tree
        self._shards = shards

    def place(self, placements: Sequence[Placement]) -> list[int]:
        """Place pictures in class folders or shards; return the ids of those placed."""
        in_folders: list[Placement] = []
        in_shards: list[Placement] = []
        for placement in placements:
            (in_shards if self._belongs_in_shard(placement) else in_folders).append(placement)
        return [*self._place_in_folders(in_folders), *self._place_in_shards(in_shards)]

    def _belongs_in_shard(self, placement: Placement) -> bool:
        old = self._pictures.get_row(placement.replaces.id) if placement.replaces else None
        return self.uses_shards if old is None else old.shard is not None

    def _place_in_shards(self, placements: Sequence[Placement]) -> list[int]:
        """Append pictures to shards, each batch in the transaction that records it."""
        placed: list[int] = []
        waiting = [(placement, make_sample(placement.task, placement.picture)) for placement in placements]
        while waiting:
            shard, count = self._shards.find_room([sample.size for _, sample in waiting])
            batch, waiting = waiting[:count], waiting[count:]
            with self._ledger.transaction():
                announced = [(self._announce(placement), sample) for placement, sample in batch]
                samples = [(picture, sample) for picture, sample in announced if picture is not None]
                places = self._shards.append(shard, [(picture.name, sample) for picture, sample in samples])
                for (picture, _), place in zip(samples, places, strict=True):
                    picture_updates.confirm_placement(self._ledger, picture.id, self.run, replaced=True)
                    shard_table.record_place(self._ledger, picture.id, place)
            placed += [picture.id for picture, _ in samples]
        return placed

    def _place_in_folders(self, placements: Sequence[Placement]) -> list[int]:
        """Announce, write, record, rename, confirm."""
        if not placements:
            return []
        with self._ledger.transaction():
            announced = [(self._announce(placement), placement.picture) for placement in placements]
        wanted = {row.id: picture for row, picture in announced if row is not None}
        places = [place for place in pending_changes.pending_placements(self._ledger) if place.id in wanted]
        originals = [(place.raw, wanted[place.id].original) for place in places]
        self._tree.place([(raw, data) for raw, data in originals if raw and data is not None])
        parts = self._tree.write_parts([(place.spot, wanted[place.id].data) for place in places])
        with self._ledger.transaction():
            pending_changes.record_parts(
                self._ledger,
                {place.id: part.name for place, part in zip(places, parts, strict=True)},
            )
        self._tree.rename_parts(parts, [place.spot for place in places])
        self._confirm(places)
        return [place.id for place in places]

    def _announce(self, placement: Placement) -> _Announced | None:
        task, picture, old = placement.task, placement.picture, None
        if placement.replaces is not None:
            old = self._pictures.get_row(placement.replaces.id)
            if old is None or old.state != "present" or not self._has_image(old):
                self._reject_replacement(task, old.id if old else None)
                return None
        class_name = old.class_name if old else task.class_name
        name = self._choose_name(task.hit.provider, picture.content, class_name)
        suffix = picture.original_format.lower().replace("jpeg", "jpg")
        raw = f"{name.removesuffix('.jpg')}.{suffix}" if picture.original is not None else None
        number = picture_updates.announce_placement(
            self._ledger,
            task,
            picture,
            FileKey(class_name, name),
            raw=raw,
            replaces=old and old.id,
            run=self.run,
        )
        add_near_duplicates(self._ledger, [(number, other, False) for other in placement.similar])
        if class_name != task.class_name:
            picture_updates.open_conflict(self._ledger, number, task.class_name)
        return _Announced(number, name)

    def _has_image(self, row: PictureRow) -> bool:
        """Return whether a picture is in a shard, or its file exists."""
        return row.shard is not None or self._tree.stat(FileKey(row.class_name, row.name)) is not None

    def is_intact_in_shard(self, row: PictureRow) -> bool:
        """Return whether the bytes of an image in a shard are those that were written."""
        return self._shards.is_intact(row)

    def _reject_replacement(self, task: Task, picture: int | None) -> None:
        """Reject a better copy of a picture that a person has rejected since."""
        verdict = hit_table.HitVerdict(task.id, Verdict.REJECTED, picture_id=picture)
        hit_table.record_verdicts(self._ledger, [verdict], self.run)

    def _choose_name(self, provider: str, content: str, class_name: str) -> str:
        """Return a file name of source and content hash that no other file in the dataset has."""
        source = "".join(letter for letter in provider.lower() if letter.isascii() and letter.isalnum())
        for ending in _endings(content):
            name = f"{source or 'web'}-{ending}.jpg"
            spot = FileKey(class_name, name)
            if self._pictures.is_only(name, content) and (
                self._tree.is_free(spot) or self._tree.hash_files([spot]) == [content]
            ):
                return name
        raise AssertionError("endings do not end")

    def _confirm(self, places: Sequence[PendingPlacement]) -> None:
        """Remove the replaced files, and make the new pictures present."""
        left = [file for place in places for file in self._files_to_remove(place)]
        self._tree.remove(left)
        self._tree.flush([spot for spot, _ in left])
        stamps = [self._tree.stat(place.spot) for place in places]
        with self._ledger.transaction():
            for place, stamp in zip(places, stamps, strict=True):
                picture_updates.confirm_placement(self._ledger, place.id, self.run, replaced=True)
                picture_updates.record_stat(self._ledger, place.id, stamp)

    def _files_to_remove(self, place: PendingPlacement) -> Iterator[tuple[FileKey, str | None]]:
        """Yield the files that a picture replaces, with their hashes, unless a person has changed them."""
        if place.old is not None and self._tree.stat(place.old) == place.old_stamp:
            # The original first: after a kill between the two, the picture still shows that both must be removed.
            if place.old_raw is not None:
                yield place.old_raw, place.old_body
            yield place.old, place.old_content

    def recover(self, *, alone: bool) -> None:
        """Complete what a killed process announced; placements only if `alone`."""
        if alone:
            self._recover_placements()
        self.complete_moves()

    def _recover_placements(self) -> None:
        self._forget_parts()
        self._tree.remove_parts()
        places = pending_changes.pending_placements(self._ledger)
        contents = self._tree.hash_files([place.spot for place in places])
        done, changed = [], []
        for place, content in zip(places, contents, strict=True):
            if content == place.content:
                done.append(place)
            elif place.part is not None:
                changed.append(place)
        if done:
            self._tree.flush([place.spot for place in done])
            self._confirm(done)
        if changed:
            self._confirm_changed(changed)

    def _forget_parts(self) -> None:
        """Clear the record of each part file that still exists, before it is removed: it was not renamed."""
        recorded = {
            place.part: place.id for place in pending_changes.pending_placements(self._ledger) if place.part is not None
        }
        if left := recorded.keys() & (self._tree.part_names() if recorded else set()):
            with self._ledger.transaction():
                pending_changes.record_parts(self._ledger, {recorded[part]: None for part in left})

    def _confirm_changed(self, places: Sequence[PendingPlacement]) -> None:
        """Make pictures present whose files were renamed, and deleted, moved or edited by a person since.

        Without a size and a time they are compared with the disk like any other, which finds out what the person
        did. A worse copy that still exists stays: the person deleted the better one, not both.
        """
        gone = [place.old is None or self._tree.stat(place.old) is None for place in places]
        with self._ledger.transaction():
            for place, replaced in zip(places, gone, strict=True):
                picture_updates.confirm_placement(self._ledger, place.id, None, replaced=replaced)

    # Moves: the next process that opens the dataset carries them out; repeating them does no harm.

    def complete_moves(self) -> None:
        """Carry out all pending moves; raise the first error at the end."""
        for error in self.try_moves().values():
            raise error

    def try_moves(self) -> dict[int, CannotWrite]:
        """Carry out all pending moves, and return the errors of those that the disk does not allow."""
        failed: dict[int, CannotWrite] = {}
        last = -1
        while pending_changes.pending_moves(self._ledger, 1, last):
            # Within the transaction: two processes would otherwise carry out the same moves at once.
            with self._ledger.transaction():
                moves = pending_changes.pending_moves(self._ledger, _MOVES, last)
                self._carry_out(moves, failed)
                last = moves[-1].id if moves else last
        return failed

    def _carry_out(self, moves: Sequence[PendingMove], failed: dict[int, CannotWrite]) -> None:
        done: list[tuple[PendingMove, FileKey]] = []
        for move in moves:
            try:
                done.append((move, self._move(move)))
            except CannotWrite as error:
                failed[move.id] = error
        self._tree.flush([move.source for move, _ in done])
        self._tree.flush([target for _, target in done])
        for move, target in done:
            pending_changes.confirm_move(self._ledger, move, target.name, self._tree.stat(target))

    def _move(self, move: PendingMove) -> FileKey:
        source, target = move.source, move.target
        if source == target or self._tree.stat(source) is None:
            return target  # decided to and fro before it was moved; or moved already, or gone
        if not self._tree.is_free(target):
            if self._tree.hash_files([target]) == [move.content]:
                self._tree.remove(
                    [(source, move.content)]
                )  # copied to another disk, and killed before the source was removed
                return target
            target = self.find_free_name(target)
        self._tree.move(source, target)
        return target

    def find_free_name(self, spot: FileKey) -> FileKey:
        """Return the key, with a number added to its name if the path is used or will be used."""
        stem, dot, suffix = spot.name.rpartition(".")
        names = (f"{stem}-{number}{dot}{suffix}" for number in itertools.count(2))
        for name in itertools.chain([spot.name], names):
            candidate = spot._replace(name=name)
            taken = self._pictures.find_at([candidate], shelved=spot.area is Area.REJECTED)
            if not taken and self._tree.is_free(candidate):
                return candidate
        raise AssertionError("names do not end")


def _endings(content: str) -> Iterator[str]:
    yield from (content[:length] for length in _LENGTHS)
    yield from (f"{content}-{number}" for number in itertools.count(2))
