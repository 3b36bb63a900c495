"""Splits: no group is in two parts, each class gets its share, and earlier assignments stay."""

from __future__ import annotations

import csv
import os
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvest.dataset import Conflict, Dataset
from harvest.errors import CannotWrite
from harvest.labelled_pictures.leak_groups import find_leak_groups
from harvest.labelled_pictures.ledger_facts import LedgerFacts
from harvest.labelled_pictures.load_pictures import LabelledPictures, SplitPart, load_pictures
from harvest.splits.persist import load_split, load_training_contents, save_split
from harvest.splits.split_images import Split, make_split
from harvest.splits.split_rule import SplitRule
from harvest.training.split_warnings import find_warnings
from tests import datasets
from tests.training.labelled_trees import content, imagine, jpeg, look, paths, plant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

RULE = SplitRule(valid=20, test=10, seed=42)
NOWHERE = os.devnull


def split_rows(labelled: LabelledPictures, numbers: Sequence[int] | NDArray[np.int64], **more: object) -> Split:
    return make_split(labelled, np.asarray(numbers, np.int64), **{**RULE._asdict(), "remembered": {}} | more)


def by_content(labelled: LabelledPictures, split: Split) -> dict[str, SplitPart]:
    return {example.content: part for example, part in zip(labelled.examples, split.parts, strict=True)}


def straddling(split: Split) -> list[int]:
    parts = {number: set() for number in split.groups}
    for number, part in zip(split.groups, split.parts, strict=True):
        parts[number].add(part)
    return [number for number, found in parts.items() if len(found) > 1]


def shares(labelled: LabelledPictures, split: Split) -> dict[str, list[int]]:
    return {label: list(counts.values()) for label, counts in split.table(labelled).items()}


# Properties that hold for any images.

Pictures = list[tuple[int, int]]  # class and group of each; its index is the content


@st.composite
def pictures(draw: st.DrawFn, *, mixed: bool = True, least: int = 2) -> Pictures:
    """Draw images of up to five classes in groups; with `mixed`, a group can hold several classes."""
    classes = draw(st.integers(2, 5))
    of = {}
    found = []
    for _ in range(draw(st.integers(least, 40))):
        group, label = draw(st.integers(0, 20)), draw(st.integers(0, classes - 1))
        found.append((label if mixed else of.setdefault(group, label), group))
    return found


RULES = st.builds(SplitRule, st.integers(1, 60), st.integers(0, 39), st.integers())


def laid(found: Pictures, tmp: str = NOWHERE) -> tuple[LabelledPictures, list[int]]:
    """Return the drawn images, and their groups in the same order."""
    from pathlib import Path  # noqa: PLC0415

    labelled = imagine(Path(tmp), ((f"class {label}", number) for number, (label, _) in enumerate(found)))
    group = {content(number): group for number, (_, group) in enumerate(found)}
    return labelled, [group[example.content] for example in labelled.examples]


@given(pictures(), RULES, st.dictionaries(st.integers(0, 40), st.sampled_from(SplitPart)))
def test_T05_no_group_is_in_two_parts(found: Pictures, rule: SplitRule, before: dict[int, SplitPart]) -> None:
    """For any classes, groups, percentages, seed and saved split, a group is in one part only."""
    labelled, numbers = laid(found)
    known = {content(number): part for number, part in before.items()}
    split = split_rows(labelled, numbers, **rule._asdict(), remembered=known)
    assert straddling(split) == []


@given(pictures(), pictures(), RULES)
def test_T05_adding_pictures_moves_none(found: Pictures, more: Pictures, rule: SplitRule) -> None:
    """New images do not move others, unless they join separate groups."""
    labelled, numbers = laid(found)
    first = split_rows(labelled, numbers, **rule._asdict())
    known = by_content(labelled, first)
    labelled, numbers = laid(found + more)
    second = split_rows(labelled, numbers, **rule._asdict(), remembered=known)
    moved = {
        number
        for example, part, number in zip(labelled.examples, second.parts, second.groups, strict=True)
        if known.get(example.content, part) != part
    }
    assert moved <= set(second.needed)  # all images of a new class can be in groups of valid or test
    assert second.merged == ()  # groups grew, but none were merged


@given(pictures(mixed=False), pictures(mixed=False), RULES)
def test_T05_adding_to_classes_of_their_own_moves_none(found: Pictures, more: Pictures, rule: SplitRule) -> None:
    """If no group holds two classes, new images never move others."""
    labelled, numbers = laid(found)
    known = by_content(labelled, split_rows(labelled, numbers, **rule._asdict()))
    of = {group: label for label, group in reversed(found)}
    labelled, numbers = laid(found + [(of.get(group, label), group) for label, group in more])
    second = split_rows(labelled, numbers, **rule._asdict(), remembered=known)
    now = by_content(labelled, second)
    assert {name: now[name] for name in known} == known


@given(pictures(), pictures(), RULES)
def test_T05_a_new_member_follows_its_group(found: Pictures, more: Pictures, rule: SplitRule) -> None:
    """A new image goes to the part of its group."""
    labelled, numbers = laid(found)
    where = dict(zip(numbers, split_rows(labelled, numbers, **rule._asdict()).parts, strict=True))
    known = by_content(labelled, split_rows(labelled, numbers, **rule._asdict()))
    labelled, numbers = laid(found + more)
    second = split_rows(labelled, numbers, **rule._asdict(), remembered=known)
    assert all(
        where.get(number, part) == part or number in second.needed
        for number, part in zip(numbers, second.parts, strict=True)
    )


@given(pictures(mixed=False), pictures(mixed=False), RULES)
def test_percentages_are_kept_within_a_group(found: Pictures, more: Pictures, rule: SplitRule) -> None:
    """Valid and test get their shares of each class, to within its largest group."""
    known: Mapping[str, SplitPart] = {}
    apart = [(label, group + 100) for label, group in more]
    for all_of_them in (found, found + apart):
        labelled, numbers = laid(all_of_them)
        split = split_rows(labelled, numbers, **rule._asdict(), remembered=known)
        sizes = Counter(zip((example.label for example in labelled.examples), numbers, strict=True))
        for label, (_, valid, test) in shares(labelled, split).items():
            largest = max(count for (name, _), count in sizes.items() if name == label)
            whole = labelled.counts()[label]
            assert abs(valid - whole * rule.valid / 100) <= largest
            # Test may get less, because valid and train get their minimum first.
            assert -2 * largest <= test - whole * rule.test / 100 <= largest
        known = by_content(labelled, split)


@given(pictures(), RULES)
def test_every_class_has_training_and_validation_images(found: Pictures, rule: SplitRule) -> None:
    """A class has a group in train; with two groups of its own, it has one in valid."""
    labelled, numbers = laid(found)
    split = split_rows(labelled, numbers, **rule._asdict())
    alone = Counter()
    for number in set(numbers):
        labels = {e.label for e, n in zip(labelled.examples, numbers, strict=True) if n == number}
        if len(labels) == 1:
            alone.update(labels)
    for label, (train, valid, _) in shares(labelled, split).items():
        assert train > 0
        assert valid > 0 or alone[label] < 2


@given(pictures(), RULES)
def test_a_split_is_reproducible(found: Pictures, rule: SplitRule) -> None:
    """The same images are split the same way again, saved or not, however groups are numbered."""
    labelled, numbers = laid(found)
    first = split_rows(labelled, numbers, **rule._asdict())
    again = split_rows(labelled, [1000 - number for number in numbers], **rule._asdict())
    assert again.parts == first.parts
    kept = split_rows(labelled, numbers, **rule._asdict(), remembered=by_content(labelled, first))
    assert (kept.parts, kept.merged, kept.notes) == (first.parts, (), ())


@given(pictures(least=30), st.integers(1, 5))
@settings(max_examples=50)
def test_without_a_saved_split_few_images_move(found: Pictures, more: int) -> None:
    """Without a saved split, a few more images move none between valid and test."""
    found = [(label, number) for number, (label, _) in enumerate(found)]
    labelled, numbers = laid(found)
    first = by_content(labelled, split_rows(labelled, numbers))
    labelled, numbers = laid(found + [(0, 1000 + number) for number in range(more)])
    second = by_content(labelled, split_rows(labelled, numbers))
    moved = {(first[name], second[name]) for name in first if first[name] != second[name]}
    assert not moved & {(SplitPart.VALID, SplitPart.TEST), (SplitPart.TEST, SplitPart.VALID)}


# Examples.


def test_a_hundred_images_are_split_by_the_percentages(tmp_path: Path) -> None:
    """A hundred images without duplicates are split 70, 20 and 10 in each class."""
    labelled = imagine(tmp_path, ((label, n) for k, label in enumerate("ab") for n in range(k * 100, k * 100 + 100)))
    split = split_rows(labelled, range(200))
    assert shares(labelled, split) == {"a": [70, 20, 10], "b": [70, 20, 10]}
    assert split.rows(SplitPart.TEST).tolist() == [row for row, p in enumerate(split.parts) if p == "test"]


def test_another_seed_gives_another_split(tmp_path: Path) -> None:
    """Another seed gives another split with the same shares."""
    labelled = imagine(tmp_path, ((label, n) for k, label in enumerate("ab") for n in range(k * 100, k * 100 + 100)))
    one, two = split_rows(labelled, range(200), seed=1), split_rows(labelled, range(200), seed=2)
    assert one.parts != two.parts
    assert shares(labelled, one) == shares(labelled, two)


def test_T01_one_picture_trains(tmp_path: Path) -> None:
    """A class of one image has it in train; a class of two has the other one in valid."""
    labelled = imagine(tmp_path, [("a", 1), ("b", 2), ("b", 3), ("c", 4), ("c", 5), ("c", 6)])
    assert shares(labelled, split_rows(labelled, range(6))) == {"a": [1, 0, 0], "b": [1, 1, 0], "c": [2, 1, 0]}
    assert shares(labelled, split_rows(labelled, [0, 1, 1, 2, 2, 2]))["b"] == [2, 0, 0]


def test_T01_the_last_pictures_of_a_class_train(tmp_path: Path) -> None:
    """If all training images of a class are deleted, its validation images are moved to train, with a note."""
    labelled = imagine(tmp_path, [("a", n) for n in range(9)] + [("b", 20), ("b", 21)])
    known = {content(20): SplitPart.VALID, content(21): SplitPart.TEST}
    split = split_rows(labelled, range(11), remembered=known)
    assert shares(labelled, split)["b"][0] == 1
    assert "no other image was left of the class" in split.notes[0]


def test_T05_merged_groups_go_to_train(tmp_path: Path) -> None:
    """Groups of different parts that are merged go to train, with a note, and then stay there."""
    labelled = imagine(tmp_path, [("a", n) for n in range(30)] + [("b", n) for n in range(30, 60)])
    known = by_content(labelled, split_rows(labelled, range(60)))
    valid = next(row for row, example in enumerate(labelled.examples) if known[example.content] is SplitPart.VALID)
    test = next(row for row, example in enumerate(labelled.examples) if known[example.content] is SplitPart.TEST)
    numbers = list(range(60))
    numbers[test] = valid
    split = split_rows(labelled, numbers, remembered=known)
    assert split.merged == (valid,)
    assert split.parts[valid] == split.parts[test] == SplitPart.TRAIN
    assert split.notes[0].startswith("2 images moved to train, as images of one group were in different parts: ")
    assert paths(labelled)[valid] in split.notes[0]
    again = split_rows(labelled, numbers, remembered=by_content(labelled, split))
    assert (again.merged, again.notes, again.parts) == ((), (), split.parts)


def test_T05_duplicates_of_a_real_tree_are_in_one_part(tmp_path: Path) -> None:
    """Copies under other names, of lower quality and in another class go to the same part."""
    plant(tmp_path, {"king": range(12), "coral": range(20, 32)})
    for number in range(12):
        (tmp_path / "king" / f"poor {number}.jpg").write_bytes(jpeg(number, quality=50))
    for number in (3, 4, 5):
        (tmp_path / "coral" / f"wrong {number}.jpg").write_bytes(jpeg(number))
    labelled = look(tmp_path)
    for seed in range(20):
        split = split_rows(labelled, find_leak_groups(labelled, say=pytest.fail), seed=seed)
        where = dict(zip(paths(labelled), split.parts, strict=True))
        for number in range(12):
            assert where[f"king/{number:03}.jpg"] == where[f"king/poor {number}.jpg"]
        assert all(where[f"king/{n:03}.jpg"] == where[f"coral/wrong {n}.jpg"] for n in (3, 4, 5))


# Folders named after parts.


def of_parts(root: Path, **counts: Mapping[str, int]) -> LabelledPictures:
    """Return images in folders named after parts: a number of images of each class in each."""
    labelled, start = None, 0
    for part, classes in counts.items():
        for label, count in classes.items():
            more = imagine(root, ((label, n) for n in range(start, start + count)), SplitPart(part))
            start += count
            examples = (*(labelled.examples if labelled else ()), *more.examples)
            labelled = LabelledPictures(root, examples, tuple(sorted({example.label for example in examples})))
    assert labelled
    return labelled


def test_folders_decide(tmp_path: Path) -> None:
    """With folders for train, valid and test, these decide, and a saved split is ignored."""
    labelled = of_parts(tmp_path, train={"a": 5, "b": 5}, valid={"a": 30, "b": 1}, test={"a": 2})
    known = {example.content: SplitPart.TEST for example in labelled.examples}
    split = split_rows(labelled, range(43), remembered=known)
    assert split.parts == tuple(example.part for example in labelled.examples)
    assert split.notes == ()


def test_valid_is_taken_from_train_where_it_has_no_folder(tmp_path: Path) -> None:
    """With folders for train and test only, valid is a share of train, and stays."""
    labelled = of_parts(tmp_path, train={"a": 50, "b": 50}, test={"a": 10, "b": 10})
    split = split_rows(labelled, range(120))
    assert shares(labelled, split) == {"a": [40, 10, 10], "b": [40, 10, 10]}
    assert "no folder for valid" in split.notes[0]
    again = split_rows(labelled, range(120), remembered=by_content(labelled, split) | {content(0): SplitPart.TEST})
    assert shares(labelled, again) == shares(labelled, split)


def test_a_missing_test_folder_gives_a_note(tmp_path: Path) -> None:
    """With folders for train and valid only, nothing is moved, and a note says that there is no test set."""
    labelled = of_parts(tmp_path, train={"a": 50, "b": 50}, valid={"a": 10, "b": 10})
    split = split_rows(labelled, range(120))
    assert shares(labelled, split) == {"a": [50, 10, 0], "b": [50, 10, 0]}
    assert split.notes == ("there is no folder for test: no test set is held out",)


def test_T05_a_duplicate_in_two_part_folders_gives_a_warning(tmp_path: Path) -> None:
    """A duplicate in two part folders stays, with a warning, and is never used for valid."""
    labelled = of_parts(tmp_path, train={"a": 20, "b": 20}, test={"a": 4, "b": 4})
    numbers = list(range(48))
    numbers[40] = numbers[0]
    for seed in range(20):
        split = split_rows(labelled, numbers, seed=seed)
        assert (split.parts[0], split.parts[40]) == (SplitPart.TRAIN, SplitPart.TEST)
    assert any(
        "near-duplicate in train" in text and paths(labelled)[40] in text for text in find_warnings(labelled, split)
    )


# Saved in runs.


def keep(labelled: LabelledPictures, run: Path, rule: SplitRule = RULE) -> Split:
    """Split as a training does, and save the split in its run."""
    run.mkdir(parents=True, exist_ok=True)
    known = load_split(labelled, run.parent, rule=rule)
    split = split_rows(labelled, find_leak_groups(labelled, say=pytest.fail), **rule._asdict(), remembered=known)
    save_split(labelled, split, run, say=pytest.fail)
    return split


def test_T05_a_run_keeps_the_split(tmp_path: Path) -> None:
    """Without a ledger, the newest run next to the tree gives the part of each content, under any name."""
    root = plant(tmp_path / "tree", {"king": range(20), "coral": range(20, 40)})
    labelled = look(root)
    first = by_content(labelled, keep(labelled, tmp_path / "tree.runs" / "1"))
    for path in sorted((root / "king").iterdir())[:10]:
        path.rename(path.with_name(f"another {path.name}"))
    plant(root, {"king": range(40, 60), "milk": range(60, 70)})
    labelled = look(root)
    second = by_content(labelled, keep(labelled, tmp_path / "tree.runs" / "2"))
    assert {name: second[name] for name in first} == first
    assert not (root / "harvest.db").exists()


def test_T05_the_split_of_a_run_elsewhere_is_copied_beside_the_tree(tmp_path: Path) -> None:
    """A run elsewhere leaves a copy of its split next to the tree; other runs do not."""
    labelled = look(plant(tmp_path / "tree", {"king": range(20), "coral": range(20, 40)}))
    runs = tmp_path / "tree.runs"
    for run in (tmp_path / "else" / "where", runs / "first"):
        run.mkdir(parents=True)
    split = split_rows(labelled, range(40), seed=7)
    save_split(labelled, split, runs / "first", copy_in=runs, say=pytest.fail)
    assert not (runs / "splits.csv").exists()
    (runs / "first" / "splits.csv").unlink()

    save_split(labelled, split, tmp_path / "else" / "where", copy_in=runs, say=pytest.fail)
    assert load_split(labelled, runs, rule=split.rule) == by_content(labelled, split)


def test_a_split_that_the_next_run_cannot_find_gives_a_message(tmp_path: Path) -> None:
    """If nothing can be written next to the tree, only the run holds the split, with a message."""
    labelled = look(plant(tmp_path / "tree", {"king": range(20), "coral": range(20, 40)}))
    (tmp_path / "tree.runs").write_text("a file")
    messages: list[str] = []
    save_split(labelled, split_rows(labelled, range(40)), tmp_path, copy_in=tmp_path / "tree.runs", say=messages.append)
    assert len(messages) == 1
    assert "cannot find this split" in messages[0]
    assert (tmp_path / "splits.csv").exists()


def test_images_that_the_network_was_trained_on_give_a_warning(tmp_path: Path) -> None:
    """A warning says how many images an earlier run was trained on, and how many are held out."""
    labelled = look(plant(tmp_path / "tree", {"king": range(20), "coral": range(20, 40)}))
    run = tmp_path / "runs" / "first"
    split = keep(labelled, run)
    train = int((np.array(split.parts) == SplitPart.TRAIN).sum())

    assert load_training_contents(run) == {
        content for content, part in by_content(labelled, split).items() if part == "train"
    }
    assert load_training_contents(tmp_path) == frozenset()
    (result,) = (text for text in find_warnings(labelled, split, source=run) if str(run) in text)
    assert f"was trained on {train} of these images" in result
    turned = replace(split, parts=(SplitPart.TEST,) * len(split.parts))
    assert any(f"{train} of them are in valid or test" in text for text in find_warnings(labelled, turned, source=run))
    assert not any("was trained on" in text for text in find_warnings(labelled, split, source=tmp_path))


def test_runs_with_another_split_rule_are_not_used(tmp_path: Path) -> None:
    """Another seed or percentage is another split; the first one is still found in older runs."""
    labelled = look(plant(tmp_path / "tree", {"king": range(20), "coral": range(20, 40)}))
    first = keep(labelled, tmp_path / "runs" / "1")
    other = SplitRule(valid=30, test=0, seed=42)
    assert shares(labelled, keep(labelled, tmp_path / "runs" / "2", other)) == {
        "king": [14, 6, 0],
        "coral": [14, 6, 0],
    }
    assert load_split(labelled, tmp_path / "runs", rule=RULE) == by_content(labelled, first)
    assert load_split(labelled, tmp_path / "runs", rule=SplitRule(20, 10, 43)) == {}


def test_the_newest_run_counts(tmp_path: Path) -> None:
    """Of several runs with one rule the newest counts, whatever its name; a run can also be given itself."""
    labelled = look(plant(tmp_path / "tree", {"king": [1], "coral": [2]}))
    for age, (name, part) in enumerate({"z": SplitPart.TEST, "a": SplitPart.VALID}.items()):
        (tmp_path / "runs" / name).mkdir(parents=True)
        save_split(labelled, Split((part, part), (0, 1), RULE), tmp_path / "runs" / name, say=pytest.fail)
        os.utime(tmp_path / "runs" / name / "splits.csv", ns=(age, age))
    assert set(load_split(labelled, tmp_path / "runs", rule=RULE).values()) == {SplitPart.VALID}
    assert set(load_split(labelled, tmp_path / "runs" / "z", rule=RULE).values()) == {SplitPart.TEST}


def test_splits_csv_can_be_read(tmp_path: Path) -> None:
    """splits.csv has one row per image; no file name becomes a formula or breaks a row."""
    plant(tmp_path / "tree", {"king": range(3), "=coral": range(3, 6)})
    (tmp_path / "tree" / "king" / "000.jpg").rename(tmp_path / "tree" / "king" / 'a\n"b".jpg')
    labelled = look(tmp_path / "tree")
    split = keep(labelled, tmp_path / "run")
    with (tmp_path / "run" / "splits.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["content"] for row in rows] == [example.content for example in labelled.examples]
    assert [row["part"] for row in rows] == list(split.parts)
    assert rows[0] | {"group": ""} == {
        "path": "'=coral/003.jpg",
        "content": datasets.sha(jpeg(3)),
        "label": "'=coral",
        "group": "",
        "part": rows[0]["part"],
        "deal": "valid 20 test 10 seed 42",
    }
    assert 'king/a\n"b".jpg' in {row["path"] for row in rows}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\0\0",
        "content,part,deal\nx,nowhere,valid 20 test 10 seed 42\n",
        "a,b\n1,2\n",
        '"' * 9,
        "x" * 200_000,
    ],
)
def test_a_damaged_splits_csv_is_ignored(tmp_path: Path, text: str) -> None:
    """A damaged splits.csv is ignored, and the run before it is used."""
    labelled = look(plant(tmp_path / "tree", {"king": range(5), "coral": range(5, 10)}))
    split = keep(labelled, tmp_path / "runs" / "1")
    (tmp_path / "runs" / "2").mkdir()
    (tmp_path / "runs" / "2" / "splits.csv").write_text(text)
    (tmp_path / "runs" / "3" / "splits.csv").mkdir(parents=True)
    (tmp_path / "runs" / "a file").write_text("")
    assert load_split(labelled, tmp_path / "runs", rule=RULE) == by_content(labelled, split)


def test_a_run_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A missing run directory is an error with its path."""
    labelled = look(plant(tmp_path / "tree", {"king": [1], "coral": [2]}))
    with pytest.raises(CannotWrite, match=r"splits\.csv"):
        save_split(labelled, split_rows(labelled, [0, 1]), tmp_path / "gone", say=pytest.fail)


# Saved in a ledger.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a dataset of two classes of 20 images."""
    root = tmp_path / "dataset"
    datasets.new(root, king=range(20), coral=range(100, 120))
    return root


def test_T05_a_ledger_keeps_the_split(root: Path, tmp_path: Path) -> None:
    """A ledger keeps the split without runs: added, moved and temporarily missing images move no others."""
    labelled = look(root)
    first = by_content(labelled, keep(labelled, tmp_path / "elsewhere" / "1"))
    away = tmp_path / "away.jpg"
    gone = root / "king" / datasets.name(7)
    gone.rename(away)
    (root / "king" / datasets.name(8)).rename(root / "coral" / "moved.jpg")
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        datasets.fill(dataset, "king", range(30, 40))
    labelled = look(root)
    keep(labelled, tmp_path / "somewhere" / "2")
    away.rename(gone)
    labelled = look(root)
    last = by_content(labelled, keep(labelled, tmp_path / "nowhere" / "3"))
    assert {name: last[name] for name in first} == first


def test_a_ledger_takes_precedence_over_a_run(root: Path, tmp_path: Path) -> None:
    """The ledger takes precedence over a run, which gives the parts that the ledger does not have."""
    labelled = look(root)
    run = tmp_path / "runs" / "1"
    run.mkdir(parents=True)
    everywhere = Split((SplitPart.TEST,) * 40, tuple(range(40)), RULE)
    save_split(replace(labelled, root=tmp_path), everywhere, run, say=pytest.fail)
    save_split(
        labelled.subset(range(10)),
        Split((SplitPart.VALID,) * 10, tuple(range(10)), RULE),
        tmp_path,
        say=pytest.fail,
    )
    known = load_split(labelled, tmp_path / "runs", rule=RULE)
    assert [known[example.content] for example in labelled.examples] == [SplitPart.VALID] * 10 + [SplitPart.TEST] * 30


def test_a_locked_ledger_gives_a_message(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program locks the ledger, only the run holds the split, with a message."""
    monkeypatch.setattr("harvest.ledger.database.BUSY_TIMEOUT", 0.1)
    labelled = look(root)
    split = split_rows(labelled, range(40))
    messages: list[str] = []
    with closing(sqlite3.connect(root / "harvest.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        save_split(labelled, split, tmp_path, say=messages.append)
        assert load_split(labelled, tmp_path, rule=RULE) == by_content(labelled, split)
    assert len(messages) == 1
    assert "only saved in" in messages[0]


def test_a_damaged_ledger_gives_one_warning(root: Path, tmp_path: Path) -> None:
    """With an unreadable ledger, only the run holds the split; there is one warning."""
    (root / "harvest.db").write_bytes(b"")
    labelled = look(root)
    split = keep(labelled, tmp_path / "runs" / "1")
    assert load_split(labelled, tmp_path / "runs", rule=RULE) == by_content(labelled, split)
    assert sum("harvest.db" in text for text in find_warnings(labelled, split)) == 1
    assert (root / "harvest.db").read_bytes() == b""


def test_saving_the_same_split_writes_nothing(root: Path, tmp_path: Path) -> None:
    """A second training with the same split does not change the ledger."""
    labelled = look(root)
    keep(labelled, tmp_path / "runs" / "1")
    before = (root / "harvest.db").read_bytes()
    keep(look(root), tmp_path / "runs" / "2")
    assert (root / "harvest.db").read_bytes() == before


# Warnings.


def warned(labelled: LabelledPictures, numbers: Sequence[int] | None = None) -> str:
    return "\n".join(find_warnings(labelled, split_rows(labelled, numbers or range(len(labelled.examples)))))


def test_nothing_to_warn_of(tmp_path: Path) -> None:
    """Two classes with enough images give no warning."""
    labelled = imagine(tmp_path, [("a", n) for n in range(40)] + [("b", n) for n in range(40, 80)])
    assert warned(labelled) == ""


def test_T04_imbalance_gives_a_warning(tmp_path: Path) -> None:
    """A class a hundred times as large as another gives a warning with both counts and the remedy."""
    labelled = imagine(tmp_path, [("a", n) for n in range(3000)] + [("b", n) for n in range(3000, 3030)])
    assert "a has 3,000 images, b has 30" in warned(labelled)
    assert "weights the classes equally" in warned(labelled)
    even = imagine(tmp_path, [("a", n) for n in range(100)] + [("b", n) for n in range(100, 140)])
    assert warned(even) == ""


def test_T01_few_images_give_a_warning(tmp_path: Path) -> None:
    """Warnings name classes under 20 images with their counts, and classes without validation images."""
    labelled = imagine(tmp_path, [("a", n) for n in range(19)] + [("b", 30)] + [("c", n) for n in range(40, 60)])
    assert "fewer than 20 images: a (19), b (1);" in warned(labelled)
    assert "too few images for valid: b" in warned(labelled)


def test_many_classes_are_not_all_named(tmp_path: Path) -> None:
    """A warning names three classes, and the number of the others."""
    labelled = imagine(tmp_path, ((f"class {n:02}", n) for n in range(60)))
    assert "class 00 (1), class 01 (1), class 02 (1) and 57 more" in warned(labelled)


def test_T05_duplicates_across_labels_give_a_warning(tmp_path: Path) -> None:
    """An image in two classes gives a warning with both paths."""
    plant(tmp_path, {"king": range(20), "coral": range(20, 40)})
    (tmp_path / "coral" / "same.jpg").write_bytes(jpeg(3))
    (tmp_path / "coral" / "poor.jpg").write_bytes(jpeg(4, quality=50))
    (tmp_path / "king" / "fine.jpg").write_bytes(jpeg(5, quality=50))
    labelled = look(tmp_path)
    text = warned(labelled, find_leak_groups(labelled, say=pytest.fail).tolist())
    assert "2 images are in two classes" in text
    assert "coral/same.jpg = king/003.jpg" in text
    assert "coral/poor.jpg = king/004.jpg" in text


def test_classes_that_differ_in_case_give_a_warning(tmp_path: Path) -> None:
    """Two folders that differ only in case or accents stay two classes, with a warning."""
    labelled = imagine(
        tmp_path, ((label, 50 * k + n) for k, label in enumerate(("King", "king", "rat")) for n in range(30))
    )
    assert "differ only in case or accents: King and king" in warned(labelled)


def test_open_conflicts_give_a_warning(tmp_path: Path) -> None:
    """An open conflict gives a warning while the image is where the ledger says."""
    labelled = imagine(tmp_path, [("a", n) for n in range(40)] + [("b", n) for n in range(40, 80)])
    conflicts = (Conflict(1, "a", "000003.jpg", "b"), Conflict(2, "a", "gone.jpg", "b"))
    labelled = replace(labelled, ledger_facts=LedgerFacts(conflicts=conflicts))
    assert "1 image has an open conflict between two classes" in warned(labelled)
    assert "a/000003.jpg (or b?)" in warned(labelled)


def test_conflicts_of_a_harvest_are_loaded(root: Path) -> None:
    """An open conflict that a harvest found is among the facts of the labelled images."""
    with closing(sqlite3.connect(root / "harvest.db")) as connection:
        connection.execute("INSERT INTO conflict (picture, class, at) VALUES (1, 'coral', '2026-01-01T00:00:00Z')")
        connection.commit()
    labelled = load_pictures(root, say=pytest.fail)
    assert [conflict.other for conflict in labelled.ledger_facts.conflicts] == ["coral"]
    assert "open conflict between two classes" in warned(labelled)
