"""Reconciliation: what a person did to the folders, worked out from lists alone."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest.dataset.folder_change_kinds import Findings, Kind, UnexpectedFile
from harvest.dataset.infer_folder_changes import MISSING_FILES, FindCopies, reconcile
from harvest.files.ledger_names_to_paths import Area, FileKey
from harvest.ledger.picture_table import PictureRow

if TYPE_CHECKING:
    from collections.abc import Sequence

_numbers = count(1)


def held(place: str, content: str, state: str = "present") -> PictureRow:
    class_name, name = place.split("/")
    return PictureRow(next(_numbers), state, class_name, name, content, int(state == "rejected"))


def found(place: str, content: str, area: Area = Area.TREE) -> UnexpectedFile:
    class_name, name = place.split("/")
    return UnexpectedFile(FileKey(class_name, name, area), content, 1, 1)


def decide(
    rows: list[PictureRow],
    files: list[UnexpectedFile],
    same_content: list[PictureRow] | None = None,
    *,
    totals: dict[str, int] | None = None,
    folders: set[str] | None = None,
    find_copies: FindCopies = lambda *_: (),
) -> Findings:
    """Reconcile with totals so large that missing files and renamed classes matter only where a test sets them."""
    present = [row for row in (*rows, *(same_content or [])) if row.state == "present"]
    usual = {row.class_name: 1000 for row in present}
    everywhere = {row.class_name for row in present} | {file.spot.class_name for file in files}
    return reconcile(
        rows,
        files,
        same_content or [],
        totals=usual if totals is None else totals,
        folders=everywhere if folders is None else folders,
        find_copies=find_copies,
    )


def kinds(findings: Findings) -> list[Kind]:
    return [finding.kind for finding in findings.each]


@pytest.mark.parametrize(
    ("row", "file", "kind"),
    [
        (held("a/1.jpg", "x"), None, Kind.GONE),
        (held("a/1.jpg", "x"), found("a/1.jpg", "x"), Kind.TOUCHED),
        (held("a/1.jpg", "x"), found("a/1.jpg", "y"), Kind.EDITED),
        (held("a/bing-1f3c9a2e7b01.jpg", "x"), found("b/bing-1f3c9a2e7b01.jpg", "y"), Kind.EDITED),
        (held("a/1.jpg", "x"), found("a/2.jpg", "x"), Kind.RENAMED),
        (held("a/1.jpg", "x"), found("b/1.jpg", "x"), Kind.MOVED),
        (held("a/1.jpg", "x"), found("b/2.jpg", "x"), Kind.MOVED),
        (held("a/1.jpg", "x"), found("a/1.jpg", "x", Area.REJECTED), Kind.SHELVED),
        (held("a/1.jpg", "x"), found("b/7.jpg", "x", Area.REJECTED), Kind.SHELVED),
        (held("a/1.jpg", "x", "rejected"), found("a/1.jpg", "x"), Kind.RESTORED),
        (held("a/1.jpg", "x", "rejected"), found("b/2.jpg", "x"), Kind.RESTORED),
        (held("a/1.jpg", "x", "rejected"), found("b/2.jpg", "x", Area.REJECTED), Kind.RESHELVED),
        (held("a/1.jpg", "x", "rejected"), None, Kind.UNSHELVED),
        (held("a/1.jpg", "x", "placing"), found("a/1.jpg", "x"), Kind.CONFIRMED),
        (held("a/1.jpg", "x", "placing"), None, Kind.FORGOTTEN),
        (None, found("a/1.jpg", "x"), Kind.ADDED),
        (None, found("a/1.jpg", "x", Area.REJECTED), Kind.ADDED),
    ],
)
def test_one_picture_one_file(row: PictureRow | None, file: UnexpectedFile | None, kind: Kind) -> None:
    """Each row of the table of changes is one kind of finding."""
    other = held("b/0.jpg", "other")
    findings = decide([row] if row else [], [file] if file else [], [other])
    assert kinds(findings) == [kind]
    assert findings.each[0].held == row
    assert findings.each[0].found == file


def test_copy_in_another_class_is_a_conflict() -> None:
    """The same content in two class folders is a conflict, and the first picture stays."""
    assert kinds(decide([], [found("b/1.jpg", "x")], [held("a/1.jpg", "x")])) == [Kind.COPIED]


def test_copy_in_the_same_class_is_a_persons_own() -> None:
    """A second copy in the same folder is not a conflict."""
    assert kinds(decide([], [found("a/2.jpg", "x")], [held("a/1.jpg", "x")])) == [Kind.ADDED]


def test_moved_to_two_classes_is_a_move_and_a_conflict() -> None:
    """A picture that left its class for two others moved to one, and is a copy in the other."""
    findings = decide([held("a/1.jpg", "x")], [found("b/1.jpg", "x"), found("c/1.jpg", "x")])
    assert kinds(findings) == [Kind.MOVED, Kind.COPIED]


def test_one_of_two_copies_gone_is_no_rejection() -> None:
    """Deleting one of two copies rejects nothing: a picture on disk outranks a rejection."""
    assert kinds(decide([held("a/1.jpg", "x")], [], [held("b/1.jpg", "x")])) == [Kind.MERGED]


def test_swapped_names_are_two_renames() -> None:
    """Two pictures that swap names were renamed, not edited."""
    rows = [held("a/1.jpg", "x"), held("a/2.jpg", "y")]
    assert kinds(decide(rows, [found("a/1.jpg", "y"), found("a/2.jpg", "x")])) == [Kind.RENAMED] * 2


def test_overwritten_picture_is_no_rejection() -> None:
    """A picture moved onto the name of another replaces it: a name that still exists is never a rejection."""
    rows = [held("a/1.jpg", "x"), held("b/1.jpg", "y")]
    assert kinds(decide(rows, [found("a/1.jpg", "y")])) == [Kind.MOVED, Kind.MERGED]


def test_converted_is_edited() -> None:
    """A file with the stem of a missing image is that image in another format, in any number."""
    rows = [held(f"a/{n}.jpg", f"old{n}") for n in range(25)]
    findings = decide(rows, [found(f"a/{n}.webp", f"new{n}") for n in range(25)], totals={"a": 25})
    assert kinds(findings) == [Kind.EDITED] * 25
    assert all(each.found.spot.name == f"{each.held.name[:-4]}.webp" for each in findings.each)
    assert findings.missing_files == ""


def test_a_name_in_two_other_classes_is_not_an_edit() -> None:
    """Which of two changed files is the image is unknown: it is gone, and both are new."""
    files = [found(f"{name}/bing-1f3c9a2e7b01.jpg", name) for name in "bc"]
    findings = decide([held("a/bing-1f3c9a2e7b01.jpg", "x")], files)
    assert Counter(kinds(findings)) == {Kind.GONE: 1, Kind.ADDED: 2}


def test_converted_into_another_class_is_not_edited() -> None:
    """A stem matches only within a class."""
    findings = decide([held("a/1.jpg", "x"), held("b/0.jpg", "o")], [found("b/1.png", "y")])
    assert kinds(findings) == [Kind.ADDED, Kind.GONE, Kind.GONE]


def test_one_file_for_two_images_is_neither() -> None:
    """A file with the stem of two missing images is an added file: its source is uncertain."""
    findings = decide([held("a/1.jpg", "x"), held("a/1.jpeg", "y")], [found("a/1.png", "z")])
    assert kinds(findings) == [Kind.ADDED, Kind.GONE, Kind.GONE]


def test_two_files_with_one_stem_are_not_told_apart_by_it() -> None:
    """Of two files with the stem of an image, the stem selects neither."""
    files = [found("a/1.png", "y"), found("a/1.webp", "z")]
    assert kinds(decide([held("a/1.jpg", "x")], files)) == [Kind.ADDED, Kind.ADDED, Kind.GONE]


def test_a_copy_under_another_name_is_edited() -> None:
    """A file that is a copy of a missing image is that image."""
    rows = [held("a/1.jpg", "x"), held("a/2.jpg", "y"), held("b/3.jpg", "z")]
    files = [found("a/new.jpg", "n"), found("a/2.png", "p")]
    asked = []

    def find_copies(
        some: Sequence[PictureRow], others: Sequence[UnexpectedFile]
    ) -> list[tuple[PictureRow, UnexpectedFile]]:
        asked.append(([row.name for row in some], [file.spot.name for file in others]))
        return [(some[0], others[0])]

    findings = decide(rows, files, find_copies=find_copies)
    assert kinds(findings) == [Kind.EDITED, Kind.EDITED, Kind.GONE]
    assert asked == [(["1.jpg"], ["new.jpg"])]


def test_two_copies_of_one_image_are_one_edit() -> None:
    """Of two files that are copies of an image, the first by name is the image, the other an added file."""
    files = [found("a/1.webp", "z"), found("a/1.png", "y")]
    findings = decide([held("a/1.jpg", "x")], files, find_copies=every_pair)
    assert [(each.kind, each.found.spot.name) for each in findings.each] == [
        (Kind.EDITED, "1.png"),
        (Kind.ADDED, "1.webp"),
    ]


def test_a_copy_of_two_images_is_neither() -> None:
    """A file that is a copy of two missing images is an added file."""
    rows = [held("a/1.jpg", "x"), held("a/2.jpg", "y")]
    findings = decide(rows, [found("a/new.png", "z")], find_copies=every_pair)
    assert kinds(findings) == [Kind.ADDED, Kind.GONE, Kind.GONE]


def test_a_file_of_known_content_is_no_edit() -> None:
    """A rejected image that comes back when another is deleted is restored, whatever its stem."""
    rejected = held("a/1.png", "y", "rejected")
    findings = decide([held("a/1.jpg", "x")], [found("a/1.png", "y")], [rejected], find_copies=every_pair)
    assert kinds(findings) == [Kind.RESTORED, Kind.GONE]


def every_pair(rows: Sequence[PictureRow], files: Sequence[UnexpectedFile]) -> list[tuple[PictureRow, UnexpectedFile]]:
    return [(row, file) for row in rows for file in files]


def test_rejected_content_that_comes_back_is_restored() -> None:
    """A rejected picture without a file, whose file is in a class folder now, is restored."""
    rejected = held("a/1.jpg", "x", "rejected")
    assert kinds(decide([], [found("a/1.jpg", "x")], [rejected])) == [Kind.RESTORED]


def test_present_is_stronger_than_rejected() -> None:
    """A copy in dataset.rejected has no effect while the picture is in its class."""
    file = found("a/1.jpg", "x", Area.REJECTED)
    assert kinds(decide([], [file], [held("a/1.jpg", "x")])) == []


def test_killed_placement_that_was_moved() -> None:
    """A picture placed before a kill and moved after it is confirmed, then moved."""
    findings = decide([held("a/1.jpg", "x", "placing")], [found("b/1.jpg", "x")], [held("b/0.jpg", "z")])
    assert kinds(findings) == [Kind.CONFIRMED, Kind.MOVED]


def test_R04_renamed_class_folder() -> None:
    """A class with at least 80 % of its pictures under one new folder name was renamed."""
    rows = [held(f"a/{n}.jpg", f"{n}") for n in range(10)]
    files = [found(f"b/{n}.jpg", f"{n}") for n in range(8)]
    findings = decide(rows, files, totals={"a": 10})
    assert findings.renamed == {"a": "b"}
    assert kinds(findings) == [Kind.RECLASSED] * 8 + [Kind.GONE] * 2


def test_R04_fewer_than_that_are_moves() -> None:
    """With less than 80 % in a new folder, the pictures were moved there one by one."""
    rows = [held(f"a/{n}.jpg", f"{n}") for n in range(7)]
    findings = decide(rows, [found(f"b/{n}.jpg", f"{n}") for n in range(7)], totals={"a": 10})
    assert findings.renamed == {}
    assert kinds(findings) == [Kind.MOVED] * 7


def test_R04_merged_into_a_class_that_was_there() -> None:
    """A class moved into one that already has pictures is not renamed."""
    rows = [held(f"a/{n}.jpg", f"{n}") for n in range(10)]
    files = [found(f"b/{n}.jpg", f"{n}") for n in range(10)]
    assert decide(rows, files, totals={"a": 10, "b": 3}).renamed == {}


def gone(count: int, class_name: str = "a") -> list[PictureRow]:
    return [held(f"{class_name}/{n}.jpg", f"{class_name}{n}") for n in range(count)]


@pytest.mark.parametrize(
    ("count", "total", "brakes"),
    [(20, 20, False), (21, 21, True), (21, 23, True), (21, 24, False), (90, 100, False), (91, 100, True)],
)
def test_P09_over_20_files_and_over_90_percent_of_a_class(*, count: int, total: int, brakes: bool) -> None:
    """More than 20 missing files that are more than 90 % of a class stop a run, and nothing less does."""
    findings = decide(gone(count), [], totals={"a": total, "b": 1000}, folders={"a", "b"})
    assert bool(findings.missing_files) is brakes


def test_P09_over_90_percent_of_the_dataset() -> None:
    """Missing files that are more than 90 % of the dataset stop a run, however they are spread over classes."""
    rows = [row for name in "abcdefghij" for row in gone(19, name)]
    totals = dict.fromkeys("abcdefghij", 20)
    findings = decide(rows, [], totals=totals, folders=set(totals))
    assert findings.missing_files == "190 of 200 images are gone"


def test_P09_a_whole_folder_that_held_one_picture() -> None:
    """A missing class folder stops a run, however small the class."""
    findings = decide(gone(1), [], totals={"a": 1, "b": 1000}, folders={"b"})
    assert findings.missing_files == "1 of 1 image of a is gone"


def test_P09_not_when_the_folder_is_there_and_empty() -> None:
    """A person who deletes the few pictures of a class leaves its folder."""
    assert decide(gone(3), [], totals={"a": 3, "b": 1000}, folders={"a", "b"}).missing_files == ""


def test_P09_not_for_what_lies_elsewhere() -> None:
    """Pictures moved to dataset.rejected are not missing, however many."""
    files = [found(f"a/{n}.jpg", f"a{n}", Area.REJECTED) for n in range(100)]
    findings = decide(gone(100), files, totals={"a": 100}, folders={"a"})
    assert (findings.missing_files, set(kinds(findings))) == ("", {Kind.SHELVED})


def test_P09_names_three_classes_and_counts_the_rest() -> None:
    """The message stays short when many classes are missing."""
    rows = [row for name in "abcde" for row in gone(MISSING_FILES + 5, name)]
    findings = decide(rows, [], totals=dict.fromkeys("abcde", MISSING_FILES + 5), folders=set())
    assert findings.missing_files.endswith("25 of 25 images of c and of 2 more classes are gone")


places = st.tuples(st.sampled_from("abc"), st.integers(0, 4))
contents = st.sampled_from("xyz")
states = st.sampled_from(["present", "rejected", "placing"])
trees = st.dictionaries(places, contents, max_size=8)


@given(
    rows=st.lists(st.tuples(places, contents, states), max_size=8, unique_by=lambda row: (row[0], row[2])),
    tree=trees,
    area=trees,
    same_content=st.lists(st.tuples(places, contents, st.sampled_from(["present", "rejected", "lifted"])), max_size=4),
)
def test_every_picture_and_file_is_explained_once(rows, tree, area, same_content) -> None:
    """Whatever the lists, each picture has one finding, and each file in the tree is explained exactly once."""

    def row(place: tuple[str, int], content: str, state: str) -> PictureRow:
        return held(f"{place[0]}/{place[1]}.jpg", content, state)

    missing = [row(*each) for each in rows]
    files = [
        found(f"{place[0]}/{place[1]}.jpg", content, side)
        for side, rows_of in ((Area.TREE, tree), (Area.REJECTED, area))
        for place, content in rows_of.items()
    ]
    each = decide(missing, files, [row(*one) for one in same_content]).each
    # A row of the number 0 is not in the ledger yet: another finding of this look has yet to write it.
    findings_of = [finding for finding in each if finding.held and finding.held.id]
    fates = [finding.held.id for finding in findings_of if finding.kind is not Kind.CONFIRMED]
    confirmed = [finding.held.id for finding in each if finding.held and finding.kind is Kind.CONFIRMED]
    explained = [finding.found for finding in each if finding.found and finding.kind is not Kind.CONFIRMED]
    assert len(fates) == len(set(fates))
    assert {row.id for row in missing} <= {*fates, *confirmed}
    assert len(explained) == len(set(explained))
    confirmed_files = [finding.found for finding in each if finding.kind is Kind.CONFIRMED]
    assert {file for file in files if file.spot.area is Area.TREE} <= {*explained, *confirmed_files}


@given(rows=st.lists(st.tuples(places, contents), max_size=8, unique_by=lambda row: row[0]))
def test_nothing_on_disk_is_ever_a_rejection(rows) -> None:
    """While a content exists anywhere in the tree, no picture with that content counts as deleted."""
    missing = [held(f"{place[0]}/{place[1]}.jpg", content) for place, content in rows]
    files = [found("c/new.jpg", "x"), found("b/new.jpg", "y")]
    for finding in decide(missing, files).each:
        assert finding.kind is not Kind.GONE or finding.held.content == "z"
