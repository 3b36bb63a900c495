"""Record the changes found on disk, each only if it still holds: other processes write to the ledger too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.dataset.folder_change_kinds import Kind
from harvest.dataset.reported_changes import describe_findings
from harvest.files.ledger_names_to_paths import Area, FileKey, FileStat
from harvest.ledger import pending_changes, picture_updates
from harvest.ledger.class_table import rename_class, renamed_classes
from harvest.ledger.decision_kinds import Action
from harvest.ledger.decision_log import Decision

if TYPE_CHECKING:
    from harvest.dataset.folder_change_kinds import Finding, Findings, UnexpectedFile
    from harvest.dataset.reported_changes import Changes
    from harvest.files.place_and_list_files import Tree
    from harvest.ledger.database import Ledger
    from harvest.ledger.decision_log import DecisionLog
    from harvest.ledger.picture_table import PictureRow, PictureTable

_DECIDED = {
    Kind.GONE: Action.REJECT,
    Kind.SHELVED: Action.REJECT,
    Kind.MOVED: Action.MOVE,
    Kind.EDITED: Action.EDIT,
    Kind.RESTORED: Action.RESTORE,
}


class ChangeRecorder:
    """Records findings in one transaction."""

    def __init__(self, ledger: Ledger, pictures: PictureTable, decisions: DecisionLog, tree: Tree) -> None:
        self._ledger = ledger
        self._pictures = pictures
        self._decisions = decisions
        self._tree = tree

    def record(self, findings: Findings) -> Changes:
        """Record the findings that still hold, and return them as changes."""
        recorded: list[Finding] = []
        with self._ledger.transaction():
            for finding in findings.each:
                if self._holds(finding):
                    self._write(finding)
                    recorded.append(finding)
            for old, new in findings.renamed.items():
                rename_class(self._ledger, old, new)
            names = findings.renamed.items()
            self._decisions.write(
                "files",
                [
                    *(_decision(finding) for finding in recorded if _is_decision(finding)),
                    *(Decision(Action.RENAME_CLASS, source=old, target=new) for old, new in names),
                ],
            )
        return describe_findings(recorded, renamed_classes(self._ledger))

    def _holds(self, finding: Finding) -> bool:
        """Return whether picture and file are unchanged, and the file not recorded, since the scan."""
        kind, held, found = finding
        if found is not None and self._tree.stat(found.spot) != (found.size, found.mtime_ns):
            return False
        if held is None:
            assert found is not None
            taken = self._pictures.find_at([found.spot], shelved=found.spot.area is Area.REJECTED)
            return not taken and not self._is_ours(found.content)
        now = self._pictures.get_row(held.id)
        if now is None or now[:4] != held[:4] or self._pictures.is_being_moved(held.content):
            return False
        here = FileKey(held.class_name, held.name)
        if kind is Kind.EDITED and found is not None and found.spot != here:
            return self._tree.stat(here) is None and not self._pictures.find_at([found.spot])
        if kind is not Kind.GONE:
            return True
        return self._tree.stat(here) is None and not pending_changes.is_being_replaced(self._ledger, held.id)

    def _is_ours(self, content: str) -> bool:
        """Return whether a file is one of ours that is being placed or moved: the next scan finds it at its path."""
        placing = any(row.content == content for row in self._pictures.list_pending())
        rows = self._pictures.find_by_content([content])
        present = (row for row in rows if row.state == "present" and row.shard is None)
        moved = any(self._tree.stat(FileKey(row.class_name, row.name)) is None for row in present)
        return placing or moved or self._pictures.is_being_moved(content)

    def _write(self, finding: Finding) -> None:
        kind, held, found = finding
        if held is None:
            assert found is not None
            self._add_file(found, copied=kind is Kind.COPIED)
        elif found is None:
            self._record_missing(kind, held)
        else:
            self._record_found(kind, held, found)
            picture_updates.record_stat(self._ledger, held.id, FileStat(found.size, found.mtime_ns))

    def _add_file(self, file: UnexpectedFile, *, copied: bool) -> None:
        stamp = FileStat(file.size, file.mtime_ns)
        picture_updates.add_own_file(self._ledger, file.spot, file.content, stamp)
        if copied:
            for row in self._pictures.find_by_content([file.content]):
                if row.state == "present" and row.class_name != file.spot.class_name:
                    picture_updates.open_conflict(self._ledger, row.id, file.spot.class_name)

    def _record_found(self, kind: Kind, held: PictureRow, found: UnexpectedFile) -> None:
        class_name, name, _ = found.spot
        if kind is Kind.CONFIRMED:
            picture_updates.confirm_placement(self._ledger, held.id, None, replaced=False)
        elif kind in (Kind.RENAMED, Kind.MOVED):
            picture_updates.relocate(self._ledger, held, class_name, name)
        elif kind is Kind.RECLASSED:
            picture_updates.relocate(self._ledger, held, class_name, name, decided=False)
        elif kind is Kind.EDITED:
            picture_updates.record_edit(self._ledger, held, found.content)
            picture_updates.relocate(self._ledger, held, class_name, name)  # a conversion gives it another suffix
        elif kind is Kind.RESTORED:
            picture_updates.restore(self._ledger, held.id, class_name, name)
        elif kind in (Kind.SHELVED, Kind.RESHELVED):
            picture_updates.reject(self._ledger, held.id, class_name, name, shelved=True)

    def _record_missing(self, kind: Kind, held: PictureRow) -> None:
        if kind is Kind.FORGOTTEN:
            self._tree.remove(pending_changes.originals(self._ledger, held.id))
            picture_updates.drop_placement(self._ledger, held.id)
        elif kind is Kind.UNSHELVED:
            picture_updates.record_rejected_file_gone(self._ledger, held.id)
        elif kind is Kind.MERGED:
            picture_updates.merge_copy(self._ledger, held)
        else:
            picture_updates.reject(self._ledger, held.id, held.class_name, held.name, shelved=False)
            picture_updates.record_stat(
                self._ledger, held.id, None
            )  # a restore downloads it again, also if it was in a shard


def _is_decision(finding: Finding) -> bool:
    kind, _, found = finding
    is_rejected = kind is Kind.ADDED and found is not None and found.spot.area is Area.REJECTED
    return kind in _DECIDED or is_rejected


def _decision(finding: Finding) -> Decision:
    kind, held, found = finding
    return Decision(
        _DECIDED.get(kind, Action.REJECT),
        held.id if held else None,
        held.content if held else found and found.content,
        f"{held.class_name}/{held.name}" if held else None,
        f"{found.spot.class_name}/{found.spot.name}" if found else None,
    )
