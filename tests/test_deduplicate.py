"""Deduplication: the verdict on each downloaded picture, on a real dataset and with real pictures."""

from __future__ import annotations

from random import Random

import pytest

from harvest.dataset import Dataset
from harvest.harvesting.deduplicate import PLACEHOLDER_PAGES, Deduplicator
from harvest.images import process_image
from harvest.licences import Licence
from harvest.models import Hit, Outcome, Picture, Recipe, Refusal
from harvest.verdicts import Verdict
from tests.datasets import find
from tests.web import Photo

UNKNOWN = Licence()
OPEN = Licence("CC-BY-4.0")
BY_NC = Licence("CC-BY-NC-4.0")


@pytest.fixture
def dataset(tmp_path):
    with Dataset.open(tmp_path / "dataset", create=True, exclusive=True) as dataset:
        yield dataset


class Arrivals:
    """Adds pictures to a dataset, each from a URL of its own."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self._count = 0

    def outcome(
        self,
        number: int,
        change: str = "",
        *,
        to: str = "coral",
        host: str = "",
        page: str | None = None,
        licence: Licence = UNKNOWN,
    ) -> Outcome:
        """Return the outcome for one more URL of a photo, unchanged or changed as the web changes images."""
        self._count += 1
        url = f"https://{host or f'host{self._count}.example'}/{self._count}.jpg"
        hit = Hit(url, "BING", f"url:{url}", self._count, page=page, licence=licence)
        (task,) = find(self.dataset, [hit], to, f"{to} snake {self._count}")
        photo = Photo(number)
        picture = process_image(photo.changed(change) if change else photo.body, hit, Recipe())
        assert isinstance(picture, Picture)
        return Outcome(task, picture)

    def arrive(self, *arguments, **options) -> Verdict:
        """Add one picture in a run of its own."""
        (verdict,) = Deduplicator(self.dataset).record_outcomes([self.outcome(*arguments, **options)])
        return verdict

    @property
    def files(self) -> list[str]:
        """Return the files of the class folders."""
        return sorted(str(path.relative_to(self.dataset.root)) for path in self.dataset.root.glob("*/*"))


@pytest.fixture
def web(dataset):
    return Arrivals(dataset)


def test_a_new_picture_is_kept(web):
    """A new picture is placed in the folder of its class."""
    assert web.arrive(1) is Verdict.KEPT

    (file,) = web.files
    assert file.startswith("coral/bing-")


def test_different_pictures_are_all_kept(web):
    """Pictures that differ are all kept, in one batch or in several."""
    placer = Deduplicator(web.dataset)

    verdicts = placer.record_outcomes([web.outcome(n) for n in range(6)]) + placer.record_outcomes([web.outcome(9)])

    assert verdicts == [Verdict.KEPT] * 7
    assert len(web.files) == 7


@pytest.mark.parametrize("change", ["", "smaller", "rough", "webp", "grey", "cropped"])
def test_V06_the_same_picture_again_is_a_duplicate(web, change):
    """The same photo from another URL, unchanged or changed as the web changes images, is placed once."""
    placer = Deduplicator(web.dataset)
    assert placer.record_outcomes([web.outcome(1)]) == [Verdict.KEPT]

    assert placer.record_outcomes([web.outcome(1, change)]) == [Verdict.DUPLICATE]
    assert len(web.files) == 1


def test_duplicates_within_one_batch(web):
    """Duplicates within one batch are found too; the first of them is kept."""
    batch = [web.outcome(1), web.outcome(2), web.outcome(1, "rough"), web.outcome(1)]

    verdicts = Deduplicator(web.dataset).record_outcomes(batch)

    assert verdicts == [Verdict.KEPT, Verdict.KEPT, Verdict.DUPLICATE, Verdict.DUPLICATE]
    assert len(web.files) == 2


def test_duplicates_of_an_earlier_run(web):
    """A picture of an earlier run is recognised by its fingerprint."""
    assert web.arrive(1) is Verdict.KEPT

    assert web.arrive(1, "rough") is Verdict.DUPLICATE


def test_all_sources_of_a_picture_are_remembered(web):
    """The URL of a duplicate is recorded with the picture that it duplicates."""
    placer = Deduplicator(web.dataset)
    first, second = web.outcome(1), web.outcome(1, "smaller")
    placer.record_outcomes([first, second])

    report = web.dataset.history_of_text(web.files[0])

    assert {source.url for source in report.sources} == {first.task.hit.url, second.task.hit.url}


def test_the_larger_copy_is_kept(web):
    """A larger original replaces a smaller one in place, and the class does not grow."""
    placer = Deduplicator(web.dataset)
    assert placer.record_outcomes([web.outcome(1, "smaller")]) == [Verdict.KEPT]
    (before,) = web.files

    assert placer.record_outcomes([web.outcome(1)]) == [Verdict.BETTER]

    (after,) = web.files
    assert after != before
    assert placer.record_outcomes([web.outcome(1, "smaller")]) == [Verdict.DUPLICATE]


def test_the_larger_copy_of_one_batch_is_kept(web):
    """Of duplicates in one batch the larger is kept in the end, whatever their order."""
    batch = [web.outcome(1, "smaller"), web.outcome(1), web.outcome(1, "larger")]

    assert Deduplicator(web.dataset).record_outcomes(batch) == [Verdict.KEPT, Verdict.BETTER, Verdict.BETTER]
    assert len(web.files) == 1


def test_a_batch_decides_like_single_pictures(tmp_path):
    """Copies, better copies, other classes and equal files get the same verdicts in batches as one after the other."""
    random = Random(5)
    changes = ["", "", "smaller", "rough", "larger", "cropped"]
    arrivals = [(random.randrange(6), random.choice(changes), random.choice(["coral", "king"])) for _ in range(48)]
    decided = []
    for size in (1, 12):
        with Dataset.open(tmp_path / str(size), create=True, exclusive=True) as dataset:
            web, placer = Arrivals(dataset), Deduplicator(dataset)
            verdicts = []
            for start in range(0, len(arrivals), size):
                batch = arrivals[start : start + size]
                verdicts += placer.record_outcomes([web.outcome(n, change, to=to) for n, change, to in batch])
            decided.append((verdicts, web.files))
    assert decided[0] == decided[1]
    assert set(decided[0][0]) == {Verdict.KEPT, Verdict.BETTER, Verdict.DUPLICATE, Verdict.CONFLICT}


def test_a_copy_of_what_the_batch_replaced(web):
    """A file known before its batch is the duplicate of the better copy that replaced it in the batch."""
    placer = Deduplicator(web.dataset)
    assert placer.record_outcomes([web.outcome(1, "smaller")]) == [Verdict.KEPT]
    better, again = web.outcome(1), web.outcome(1, "smaller")

    assert placer.record_outcomes([better, again]) == [Verdict.BETTER, Verdict.DUPLICATE]

    (file,) = web.files
    sources = {source.url for source in web.dataset.history_of_text(file).sources}
    assert {better.task.hit.url, again.task.hit.url} <= sources


def test_an_open_licence_outranks_size(web):
    """A copy under a known open licence replaces a larger one of unknown licence, and not the reverse."""
    placer = Deduplicator(web.dataset)
    assert placer.record_outcomes([web.outcome(1)]) == [Verdict.KEPT]

    assert placer.record_outcomes([web.outcome(1, "smaller", licence=OPEN)]) == [Verdict.BETTER]
    assert placer.record_outcomes([web.outcome(1, "larger")]) == [Verdict.DUPLICATE]
    assert placer.record_outcomes([web.outcome(1, "larger", licence=BY_NC)]) == [Verdict.DUPLICATE]
    assert placer.record_outcomes([web.outcome(1, "larger", licence=OPEN)]) == [Verdict.BETTER]


def test_equal_is_not_better(web):
    """Nothing is replaced by its equal: with the same size and licence, a copy is a duplicate."""
    assert web.arrive(1, "rough") is Verdict.KEPT
    (before,) = web.files

    assert web.arrive(1) is Verdict.DUPLICATE
    assert web.files == [before]


@pytest.mark.parametrize("change", ["", "rough", "larger"])
def test_wanted_by_two_classes(web, change):
    """A picture that another class has is a conflict: it stays in the first class, however good the copy."""
    assert web.arrive(1) is Verdict.KEPT
    before = web.files

    assert web.arrive(1, change, to="king", licence=OPEN) is Verdict.CONFLICT

    assert web.files == before
    assert [(found.class_name, found.other) for found in web.dataset.conflicts()] == [("coral", "king")]


def test_wanted_by_two_classes_within_one_batch(web):
    """Two classes that get the same picture at once are a conflict too."""
    batch = [web.outcome(1), web.outcome(1, "smaller", to="king")]

    assert Deduplicator(web.dataset).record_outcomes(batch) == [Verdict.KEPT, Verdict.CONFLICT]
    assert len(web.dataset.conflicts()) == 1


@pytest.mark.parametrize("change", ["", "smaller", "rough", "larger"])
def test_R01_a_rejected_picture_stays_rejected(web, change):
    """A rejected picture is recognised from any URL and in any size, for every class."""
    web.arrive(1)
    web.dataset.reject(web.dataset.find(web.files[0]), by="cli")

    assert web.arrive(1, change, to="king") is Verdict.REJECTED
    assert not web.files


def test_a_picture_on_disk_outranks_a_rejection(web):
    """Where a fingerprint was rejected once and is on disk again, a new picture is a duplicate of the file on disk."""
    web.arrive(1)
    web.dataset.reject(web.dataset.find(web.files[0]), by="cli")
    own = web.dataset.root / "coral" / "mine.jpg"
    own.parent.mkdir(exist_ok=True)
    own.write_bytes(Photo(1).changed("rough"))
    web.dataset.reconcile()

    assert web.arrive(1) is Verdict.DUPLICATE
    assert own.exists()


def test_R05_the_persons_own_file_is_never_replaced(web):
    """A file that a person added is compared with new pictures and never replaced, however small it is."""
    own = web.dataset.root / "coral" / "mine.jpg"
    own.parent.mkdir()
    own.write_bytes(Photo(1).changed("thumbnail"))
    web.dataset.reconcile()

    assert web.arrive(1, "larger", licence=OPEN) is Verdict.DUPLICATE
    assert web.files == ["coral/mine.jpg"]


def test_R02_a_picture_that_was_moved_is_never_replaced(web):
    """A picture that a person moved to another class is never replaced; a better copy is a duplicate."""
    web.arrive(1, "smaller")
    web.dataset.move(web.dataset.find(web.files[0]), "king", by="cli")
    before = web.files

    assert web.arrive(1, "larger", to="king") is Verdict.DUPLICATE
    assert web.files == before


def test_rejected_while_the_better_copy_is_downloaded(web):
    """A better copy of a picture that is rejected at the same time is rejected too."""
    placer = Deduplicator(web.dataset)
    placer.record_outcomes([web.outcome(1, "smaller")])
    better = web.outcome(1)
    with Dataset.open(web.dataset.root) as person:
        person.reject(person.find(web.files[0]), by="page")

    assert placer.record_outcomes([better]) == [Verdict.REJECTED]
    assert not web.files
    assert placer.record_outcomes([web.outcome(1, "larger")]) == [Verdict.REJECTED]


def test_N18_a_placeholder_is_rejected(web):
    """The same file on five pages of one host is a placeholder: it leaves its class, and the summary counts it."""
    placer = Deduplicator(web.dataset)
    outcomes = [web.outcome(7, host="hot.example", page=f"https://hot.example/{n}") for n in range(7)]

    verdicts = placer.record_outcomes(outcomes)

    early = PLACEHOLDER_PAGES - 1
    assert verdicts == [
        Verdict.KEPT,
        *[Verdict.DUPLICATE] * (early - 1),
        *[Verdict.PLACEHOLDER] * (7 - early),
    ]
    assert placer.set_aside == 1
    assert not web.files
    assert len(list(web.dataset.root.with_name("dataset.rejected").glob("coral/*"))) == 1


def test_N18_a_placeholder_is_recognised_in_the_next_run(web):
    """A placeholder is not downloaded again, and a person can restore it."""
    placer = Deduplicator(web.dataset)
    placer.record_outcomes([web.outcome(7, host="hot.example", page=f"https://hot.example/{n}") for n in range(5)])

    assert web.arrive(7, host="hot.example", page="https://hot.example/next") is Verdict.REJECTED
    (shelved,) = web.dataset.root.with_name("dataset.rejected").glob("coral/*")
    web.dataset.restore(web.dataset.find(f"coral/{shelved.name}"), by="cli")
    assert web.files == [f"coral/{shelved.name}"]


def test_N18_a_popular_picture_is_not_a_placeholder(web):
    """The same file on many hosts, or many times on one page, is a popular image and stays."""
    placer = Deduplicator(web.dataset)
    outcomes = [web.outcome(7, page=f"https://pages{n}.example/") for n in range(8)]
    outcomes += [web.outcome(7, host="one.example", page="https://one.example/") for _ in range(8)]

    verdicts = placer.record_outcomes(outcomes)

    assert verdicts == [Verdict.KEPT, *[Verdict.DUPLICATE] * 15]
    assert len(web.files) == 1


def test_refusals_are_recorded(web):
    """A refusal keeps its verdict and its detail, at its place among the others."""
    good, bad = web.outcome(1), web.outcome(2)
    bad = Outcome(bad.task, Refusal(Verdict.GONE, "404"))

    assert Deduplicator(web.dataset).record_outcomes([bad, good]) == [Verdict.GONE, Verdict.KEPT]

    (source,) = web.dataset.history_of_text(bad.task.hit.url).sources
    assert (source.verdict, source.detail) == ("gone", "404")


def test_an_empty_batch(web):
    """An empty batch gives no verdicts."""
    assert Deduplicator(web.dataset).record_outcomes([]) == []
