"""Work out what a person did to the folders, from lists alone; nothing is read or changed here.

Missing pictures are matched with unexpected files by content, the nearest path first, so that a moved file is one
move, and not a deletion and an addition.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from harvest.counts_as_text import count, count_images
from harvest.dataset.folder_change_kinds import Finding, Findings, Kind, UnexpectedFile
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.ledger.picture_table import PictureRow

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

T = TypeVar("T")
FindCopies: TypeAlias = (
    "Callable[[Sequence[PictureRow], Sequence[UnexpectedFile]], Iterable[tuple[PictureRow, UnexpectedFile]]]"
)

# More missing files than this, and than this share of a class or of the dataset: rather a missing drive than deletions.
MISSING_FILES = 20
MISSING_SHARE = 0.9
# With this share of a class under one new folder name, the class was renamed.
RENAMED_SHARE = 0.8
_HASHED_NAME = re.compile(r"-[0-9a-f]{12}\.[a-z]+$")  # as of bing-1f3c9a2e7b01.jpg


def reconcile(
    held: Iterable[PictureRow],
    found: Iterable[UnexpectedFile],
    same_content: Iterable[PictureRow],
    *,
    totals: Mapping[str, int],
    folders: Collection[str],
    find_copies: FindCopies = lambda *_: (),
) -> Findings:
    """Return what happened to the pictures in `held`, whose files are missing, and what the files in `found` are.

    `same_content` are the other pictures with the content of any of these, `totals` has the number of present
    pictures of each class, and `folders` are the class folders on disk. `find_copies` pairs images with files that
    are copies of them; it is called only with what nothing else explains.
    """
    matching = _Matching(held, found, same_content)
    each = matching.findings(find_copies)
    renamed = _find_renamed_classes(each, totals)
    each = [_with_new_class(finding, renamed) for finding in each]
    gone = Counter(x.held.class_name for x in each if x.kind is Kind.GONE and x.held)
    return Findings(each, renamed, _describe_missing(gone, totals, folders))


class _Matching:
    """Matches pictures and files, pair by pair, until each is explained."""

    def __init__(
        self, held: Iterable[PictureRow], found: Iterable[UnexpectedFile], same_content: Iterable[PictureRow]
    ) -> None:
        self._held = dict.fromkeys(held)
        self._files = dict.fromkeys(found)
        self._occupied = {file.spot for file in self._files}
        self._same_content: defaultdict[str, list[PictureRow]] = defaultdict(list)
        for row in same_content:
            self._same_content[row.content].append(row)
        self._findings: list[Finding] = []

    def findings(self, find_copies: FindCopies) -> list[Finding]:
        for near in (
            _same_spot,
            _same_class,
            _in_tree,
            _was_rejected_by_moving,
            _stays_rejected,
            _was_restored_by_moving,
        ):
            self._match(near)
        self._match_edited()
        self._match_moved_and_edited()
        self._match_resaved(_same_stem)
        self._match_resaved(find_copies)
        for file in self._files:
            self._explain_file(file)
        for row in self._held:
            self._findings.append(Finding(self._explain_missing(row), row))
        return self._findings

    def _match(self, near: Callable[[PictureRow, FileKey], bool]) -> None:
        """Pair pictures and files of the same content for which `near` returns true."""
        by_content = defaultdict(list)
        for row in self._held:
            by_content[row.content].append(row)
        for file in list(self._files):
            for row in by_content[file.content]:
                if near(row, file.spot):
                    by_content[file.content].remove(row)
                    self._pair(row, file)
                    break

    def _pair(self, row: PictureRow, file: UnexpectedFile) -> None:
        del self._held[row], self._files[file]
        kind = _move(row, file.spot)
        if row.state == "placing" and kind is not Kind.CONFIRMED:
            self._findings.append(Finding(Kind.CONFIRMED, row, file))
            row = row._replace(state="present")
        self._findings.append(Finding(kind, row, file))
        self._add_explained(file)

    def _match_edited(self) -> None:
        at = {file.spot: file for file in self._files}
        for row in list(self._held):
            file = at.get(FileKey(row.class_name, row.name))
            if file is not None and row.state == "present":
                self._edit(row, file)

    def _match_moved_and_edited(self) -> None:
        """Pair images with files of other content that have their name in another class.

        Only names with a hash, which no two images share, and only if one image and one file have the name.
        """
        rows = _group((row.name, row) for row in self._held if row.state == "present" and _HASHED_NAME.search(row.name))
        files = _group(
            (file.spot.name, file)
            for file in self._files
            if file.spot.area is Area.TREE and not self._same_content[file.content]
        )
        for name in sorted(rows.keys() & files.keys()):
            if len(rows[name]) == len(files[name]) == 1:
                self._edit(rows[name][0], files[name][0])

    def _edit(self, row: PictureRow, file: UnexpectedFile) -> None:
        del self._held[row], self._files[file]
        self._findings.append(Finding(Kind.EDITED, row, file))
        self._add_explained(file)

    def _match_resaved(self, find_pairs: FindCopies) -> None:
        """Pair images that were saved again, in another format or under another name, with their files.

        Only within a class, and only with files of unknown content. A file that may be either of two images is
        neither, as its source is uncertain. Of two files that are copies of an image, the first by name is that image,
        and the other is an added file.
        """
        rows = _group((row.class_name, row) for row in self._held if row.state == "present")
        files = _group(
            (file.spot.class_name, file)
            for file in self._files
            if file.spot.area is Area.TREE and not self._same_content[file.content]
        )
        for name in sorted(rows.keys() & files.keys()):
            pairs = dict.fromkeys(find_pairs(rows[name], files[name]))
            images = Counter(file for _, file in pairs)
            for row, file in sorted(pairs, key=lambda pair: pair[1].spot):
                if images[file] == 1 and row in self._held:
                    self._edit(row, file)

    def _explain_file(self, file: UnexpectedFile) -> None:
        """Record what a file is that no missing picture explains."""
        others = self._same_content[file.content]
        homes = {row.class_name for row in others if row.state == "present"}
        rejected = next((row for row in others if row.state != "present"), None)
        if file.spot.area is Area.REJECTED:
            if homes or any(row.shelved for row in others):
                return  # a picture on disk outranks a rejection, and one file is enough to restore
            kind = Kind.RESHELVED if rejected else Kind.ADDED
        elif homes:
            kind = Kind.ADDED if homes == {file.spot.class_name} else Kind.COPIED
            rejected = None
        else:
            kind = Kind.RESTORED if rejected else Kind.ADDED
        self._findings.append(Finding(kind, rejected, file))
        self._add_explained(file)

    def _add_explained(self, file: UnexpectedFile) -> None:
        """Add an explained file, so that its copies are recognised."""
        class_name, name, area = file.spot
        state = "rejected" if area is Area.REJECTED else "present"
        row = PictureRow(0, state, class_name, name, file.content, int(area is Area.REJECTED))
        self._same_content[file.content].append(row)

    def _explain_missing(self, row: PictureRow) -> Kind:
        """Return what happened to a picture that no file explains."""
        if row.state == "placing":
            return Kind.FORGOTTEN
        if row.state == "rejected":
            return Kind.UNSHELVED
        copies = any(other.state == "present" for other in self._same_content[row.content])
        return Kind.MERGED if copies or FileKey(row.class_name, row.name) in self._occupied else Kind.GONE


def _group(named: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for name, each in named:
        groups.setdefault(name, []).append(each)
    return groups


def _same_stem(
    rows: Sequence[PictureRow], files: Sequence[UnexpectedFile]
) -> Iterator[tuple[PictureRow, UnexpectedFile]]:
    """Pair an image and a file whose names differ only in the suffix, if no other file has that stem."""
    by_stem = _group((_stem(file.spot.name), file) for file in files)
    for row in rows:
        same = by_stem.get(_stem(row.name), ())
        if len(same) == 1:
            yield row, same[0]


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _same_spot(row: PictureRow, spot: FileKey) -> bool:
    area = Area.REJECTED if row.state == "rejected" else Area.TREE
    return spot == (row.class_name, row.name, area)


def _same_class(row: PictureRow, spot: FileKey) -> bool:
    return _in_tree(row, spot) and row.class_name == spot.class_name


def _in_tree(row: PictureRow, spot: FileKey) -> bool:
    return row.state != "rejected" and spot.area is Area.TREE


def _was_rejected_by_moving(row: PictureRow, spot: FileKey) -> bool:
    return row.state != "rejected" and spot.area is Area.REJECTED


def _stays_rejected(row: PictureRow, spot: FileKey) -> bool:
    return row.state == "rejected" and spot.area is Area.REJECTED


def _was_restored_by_moving(row: PictureRow, spot: FileKey) -> bool:
    return row.state == "rejected" and spot.area is Area.TREE


def _move(row: PictureRow, spot: FileKey) -> Kind:
    """Return what happened to a picture whose content was found at a path."""
    if row.state == "rejected":
        return Kind.RESTORED if spot.area is Area.TREE else Kind.RESHELVED
    if spot.area is Area.REJECTED:
        return Kind.SHELVED
    if _same_spot(row, spot):
        return Kind.CONFIRMED if row.state == "placing" else Kind.TOUCHED
    return Kind.RENAMED if row.class_name == spot.class_name else Kind.MOVED


def _find_renamed_classes(findings: Iterable[Finding], totals: Mapping[str, int]) -> dict[str, str]:
    """Return the classes most of whose pictures are in one folder with a new name."""
    moves = Counter(
        (x.held.class_name, x.found.spot.class_name) for x in findings if x.kind is Kind.MOVED and x.held and x.found
    )
    return {
        old: new
        for (old, new), count in moves.items()
        if new not in totals and count >= RENAMED_SHARE * totals.get(old, 0)
    }


def _with_new_class(finding: Finding, renamed: Mapping[str, str]) -> Finding:
    kind, held, found = finding
    if kind is Kind.MOVED and held and found and renamed.get(held.class_name) == found.spot.class_name:
        return Finding(Kind.RECLASSED, held, found)
    return finding


def _describe_missing(gone: Counter[str], totals: Mapping[str, int], folders: Collection[str]) -> str:
    """Describe the missing files, if there are more than a person deletes on purpose, else return an empty text."""
    classes = [
        name
        for name, number in gone.items()
        if _too_many(number, totals[name]) or (name not in folders and number == totals[name])
    ]
    missing = [f"{gone[name]:,} of {count_images(totals[name])} of {name}" for name in classes]
    if not missing and _too_many(gone.total(), sum(totals.values())):
        missing = [f"{gone.total():,} of {sum(totals.values()):,} images"]
    rest = len(missing) - 3  # three are shown
    more = f" and of {count(rest, 'more class', 'more classes')}" if rest > 0 else ""
    are = "is" if len(classes) == 1 and gone[classes[0]] == 1 else "are"
    return f"{', '.join(missing[:3])}{more} {are} gone" if missing else ""


def _too_many(gone: int, total: int) -> bool:
    return gone > MISSING_FILES and gone > MISSING_SHARE * total
