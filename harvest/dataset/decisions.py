"""What a person decides on the page or the command line, done to ledger and folders alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvest.files.paths import Shelf, Spot
from harvest.ledger import picture_updates
from harvest.ledger.decision_log import Action, Decision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harvest.dataset.file_operations import Journal
    from harvest.files.tree import Tree
    from harvest.ledger import Ledger
    from harvest.ledger.decision_log import Decisions
    from harvest.ledger.picture_table import Held, Pictures


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration came to: files that are back, and pictures that the next `get` fetches again."""

    batch: int
    back: int = 0
    to_fetch: int = 0


class Decider:
    """Carries decisions out: written first, then done, each batch as one."""

    def __init__(
        self, ledger: Ledger, pictures: Pictures, tree: Tree, journal: Journal, decisions: Decisions
    ) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._tree = tree
        self._journal = journal
        self._decisions = decisions

    def reject(self, ids: Iterable[int], by: str, reason: str = "") -> int:
        """Throw pictures out into dataset.rejected, for the whole dataset and for good."""
        with self._ledger.writing():
            decisions = [self._reject(held, reason) for held in self._held(ids) if held.state == "present"]
            batch = self._decisions.write(by, decisions)
        self._journal.carry_out()
        return batch

    def _reject(self, held: Held, reason: str) -> Decision:
        here = Spot(held.class_name, held.name)
        there = self._journal.free_spot(here._replace(shelf=Shelf.REJECTED))
        picture_updates.announce_move(self._ledger, held.id, here)
        picture_updates.throw_out(self._ledger, held.id, there.class_name, there.name, shelved=True)
        return _decision(Action.REJECT, held, None, reason)

    def restore(self, ids: Iterable[int], by: str) -> Restored:
        """Take rejections back: the file returns, or else what led to the picture is fetched again."""
        with self._ledger.writing():
            rejected = [held for held in self._held(ids) if held.state == "rejected"]
            decisions = [self._restore(held) for held in rejected]
            batch = self._decisions.write(by, decisions)
        self._journal.carry_out()
        back = sum(decision.target is not None for decision in decisions)
        return Restored(batch, back, len(decisions) - back)

    def _restore(self, held: Held) -> Decision:
        there = Spot(held.class_name, held.name, Shelf.REJECTED)
        if not held.shelved or self._tree.stamp(there) is None:
            picture_updates.lift(self._ledger, held)
            return _decision(Action.RESTORE, held, None)
        here = self._journal.free_spot(there._replace(shelf=Shelf.TREE))
        picture_updates.announce_move(self._ledger, held.id, there)
        picture_updates.bring_back(self._ledger, held.id, here.class_name, here.name)
        return _decision(Action.RESTORE, held, here)

    def move(self, ids: Iterable[int], class_name: str, by: str) -> int:
        """Give pictures another class."""
        with self._ledger.writing():
            decisions = [
                self._move(held, class_name)
                for held in self._held(ids)
                if held.state == "present" and held.class_name != class_name
            ]
            batch = self._decisions.write(by, decisions)
        self._journal.carry_out()
        return batch

    def _move(self, held: Held, class_name: str) -> Decision:
        here = Spot(held.class_name, held.name)
        there = self._journal.free_spot(Spot(class_name, held.name))
        picture_updates.announce_move(self._ledger, held.id, here)
        picture_updates.relocate(self._ledger, held, there.class_name, there.name)
        return _decision(Action.MOVE, held, there)

    def _held(self, ids: Iterable[int]) -> list[Held]:
        """Look the pictures up, each once, whatever face of it was named."""
        found = (self._pictures.held(number) for number in ids)
        return list({held.id: held for held in found if held is not None}.values())


def _decision(action: Action, held: Held, target: Spot | None, value: str = "") -> Decision:
    return Decision(
        action,
        held.id,
        held.content,
        f"{held.class_name}/{held.name}",
        f"{target.class_name}/{target.name}" if target else None,
        value or None,
    )
