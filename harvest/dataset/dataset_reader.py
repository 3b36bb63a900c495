"""The queries of a dataset; they change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.counts_as_text import count
from harvest.dataset import pages_naming_another_class as pages
from harvest.dataset.report_statistics import ReportStatistics, collect_statistics
from harvest.ledger import (
    export_queries,
    history,
    list_rejections,
    near_duplicate_table,
    report_queries,
    review_queries,
    shard_table,
    statistics,
)
from harvest.ledger.picture_table import PictureTable
from harvest.ledger.recipe_rows import RecipeRows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from harvest.ledger.database import Ledger
    from harvest.ledger.export_queries import ImageProvenance, RunRecord, SearchCount
    from harvest.ledger.history import PictureHistory
    from harvest.ledger.list_rejections import Rejection, RejectionBatch
    from harvest.ledger.near_duplicate_table import NearDuplicate
    from harvest.ledger.picture_table import KnownPicture
    from harvest.ledger.report_queries import Attribution, SampleRow
    from harvest.ledger.review_queries import LedgerPosition, ReviewRow
    from harvest.ledger.shard_table import ShardCounts
    from harvest.ledger.statistics import ClassCounts, Conflict, KeepRate
    from harvest.models import Fingerprint


class DatasetReader:
    """The part of a dataset that reads its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._pictures = PictureTable(ledger)
        self.recipe_rows = RecipeRows(ledger)

    @property
    def id(self) -> str:
        """The id that the dataset keeps wherever it is moved."""
        return self._ledger.dataset_id

    def damage(self, most: int = 10) -> str:
        """Return a description of the damaged rows of the ledger, which are skipped, or an empty text."""
        rows = self._ledger.damage
        if not rows:
            return ""
        title = f"{self._ledger.path} has {count(len(rows), 'damaged row')}"
        lines = [f"{title}, skipped; no file was changed:"]
        lines += [f"  {' '.join(row.split())}" for row in rows[:most]]
        return "\n".join(lines + ([f"  and {len(rows) - most:,} more"] if len(rows) > most else []))

    def list_present(self) -> Iterator[KnownPicture]:
        """Return the pictures on disk, and the earlier versions of edited ones."""
        return self._pictures.list_present()

    def list_rejected(self) -> Iterator[KnownPicture]:
        """Return the rejected pictures, and their earlier versions."""
        return self._pictures.list_rejected()

    def load_known(self, pictures: Iterable[int]) -> dict[int, KnownPicture]:
        """Return pictures, or the earlier versions of edited ones, by id."""
        return self._pictures.load_known(pictures)

    def load_fingerprints(self, pictures: Iterable[int]) -> dict[int, Fingerprint]:
        """Return the fingerprints of those pictures that have one."""
        return self._pictures.load_fingerprints(pictures)

    def count_present(self, class_name: str) -> int:
        """Return the number of pictures of a class on disk."""
        return self._pictures.count_present(class_name)

    def counts(self) -> dict[str, int]:
        """Return the number of pictures on disk, by class."""
        return self._pictures.count_by_class()

    def has_shards(self) -> bool:
        """Return whether images were ever written into shards."""
        return shard_table.last_shard(self._ledger) is not None

    def count_in_shards(self) -> ShardCounts:
        """Return the number of shards with images, and of the images in them."""
        return shard_table.count_in_shards(self._ledger)

    def count_licensed(self) -> dict[str, int]:
        """Return the number of pictures of each class on disk whose source states their licence."""
        return self._pictures.count_licensed()

    def count_made_with_ai(self) -> int:
        """Return the number of images on disk whose download stated that it was made with AI."""
        return self._pictures.count_made_with_ai()

    def count_classes(self) -> list[ClassCounts]:
        """Return the counts of every class."""
        return statistics.count_classes(self._ledger)

    def unreadable(self) -> list[tuple[str, str]]:
        """Return class and name of the files that were added by hand and cannot be decoded."""
        return statistics.unreadable(self._ledger)

    def keep_rates(self) -> list[KeepRate]:
        """Return for each query and provider how many of its pictures a person kept."""
        return statistics.compute_keep_rates(self._ledger)

    def conflicts(self) -> list[Conflict]:
        """Return the pictures found for two classes on which no person has decided."""
        return statistics.list_conflicts(self._ledger)

    def near_duplicates(self) -> list[list[NearDuplicate]]:
        """Return the groups of pictures on disk that may be copies of each other."""
        return near_duplicate_table.list_groups(self._ledger)

    def like_rejected(self) -> list[NearDuplicate]:
        """Return the pictures on disk that may be copies of a rejected one."""
        return near_duplicate_table.list_like_rejected(self._ledger)

    def suspects(self, words: Mapping[str, Collection[str]] | None = None) -> list[pages.PageMismatch]:
        """Return the pictures whose sources name another class and not their own.

        `words` are the phrases that name each class; by default its name and search terms.
        """
        if words is None:
            searched = statistics.search_terms(self._ledger)
            words = {name: pages.class_phrases(name, queries) for name, queries in searched.items()}
        candidates = dict.fromkeys(pages.may_name_another_class(statistics.source_texts(self._ledger), words))
        texts = (pages.PageText(*row) for row in statistics.page_texts(self._ledger, candidates))
        return list(pages.find_page_mismatches(texts, words))

    def find_file(self, class_name: str, name: str) -> int | None:
        """Return the picture whose file is at a path, or `None`."""
        return next((row.id for row in self._pictures.find_at([(class_name, name)])), None)

    def find(self, text: str) -> list[int]:
        """Return the pictures that a path, file name or URL refers to, those on disk first."""
        return history.find_pictures(self._ledger, text)

    def similar_names(self, text: str, most: int = 5) -> list[str]:
        """Return some `class/name` of pictures whose name contains a text."""
        return history.similar_names(self._ledger, text, most)

    def history_of_text(self, text: str) -> PictureHistory | None:
        """Return the history for a path, file name or URL, or `None` if nothing is known."""
        return history.history_of_text(self._ledger, text)

    def picture_history(self, picture: int) -> PictureHistory:
        """Return the history of one picture."""
        return history.picture_history(self._ledger, picture)

    def rejections(self) -> list[Rejection]:
        """Return the rejections, and what a restore of each would do."""
        return list_rejections.list_rejections(self._ledger)

    def last_batch(self) -> RejectionBatch:
        """Return the pictures of the last batch of rejections that are still rejected."""
        return list_rejections.last_batch(self._ledger)

    # For the review page.

    def review_rows(self, pictures: Iterable[int] | None = None) -> list[ReviewRow]:
        """Return the images that can be shown, or those among `pictures`, as the review page lists them."""
        if pictures is None:
            return review_queries.list_review_rows(self._ledger)
        return review_queries.get_review_rows(self._ledger, pictures)

    def class_names(self) -> list[str]:
        """Return the names of the classes that were searched for, unless a person renamed their folder."""
        return [row[0] for row in self._ledger.rows("SELECT name FROM class WHERE renamed_to IS NULL")]

    def review_position(self) -> LedgerPosition:
        """Return how much of the ledger is read by reading it now."""
        return review_queries.get_position(self._ledger)

    def changed_since(self, position: LedgerPosition) -> set[int]:
        """Return the pictures that were placed, replaced or decided on since, by any process."""
        return review_queries.list_changed_since(self._ledger, position)

    def find_source_text(self, text: str) -> set[int]:
        """Return the images that have a text in the title, page or address of a source."""
        return review_queries.find_source_text(self._ledger, text)

    def open_pairs(self) -> list[tuple[int, int, bool]]:
        """Return the near-duplicates on which no person has decided, and whether they certainly are copies.

        One of a pair may be rejected by now.
        """
        return review_queries.list_open_pairs(self._ledger)

    def grouped_images(self) -> set[int]:
        """Return the images that ever had a conflict or a near-duplicate, also those that a person decided about."""
        return review_queries.list_grouped_images(self._ledger)

    def data_version(self) -> int:
        """Return a number that changes when another process writes to the ledger."""
        return review_queries.data_version(self._ledger)

    def written_rows(self) -> int:
        """Return a number that changes when this process writes to the ledger."""
        return self._ledger.written_rows

    def ratings(self) -> list[tuple[str, str, str, int]]:
        """Return class, name, state and rating (0: none) of every image with a file."""
        return review_queries.list_ratings(self._ledger)

    # For exports.

    def list_provenance(self) -> list[ImageProvenance]:
        """Return where every image on disk comes from."""
        return export_queries.list_provenance(self._ledger)

    def list_runs(self) -> list[RunRecord]:
        """Return the runs, in their order."""
        return export_queries.list_runs(self._ledger)

    def count_searches(self) -> list[SearchCount]:
        """Return every query with the number of its hits."""
        return export_queries.count_searches(self._ledger)

    def count_verdicts(self) -> dict[str, int]:
        """Return the number of hits with each verdict."""
        return export_queries.count_verdicts(self._ledger)

    def split_rules(self) -> list[str]:
        """Return the rules of the splits that the ledger remembers."""
        return export_queries.split_rules(self._ledger)

    # For the report.

    def report_statistics(self) -> ReportStatistics:
        """Return what the report counts."""
        return collect_statistics(self._ledger)

    def sample(self, class_name: str, most: int, seed: int, *, rejected: bool = False) -> list[SampleRow]:
        """Return at most `most` images of each source of a class, on disk or in dataset.rejected."""
        return report_queries.sample_class(self._ledger, class_name, most, seed, rejected=rejected)

    def attribution(self, picture: int) -> Attribution | None:
        """Return what the source of an image states about it, or None if it has no source."""
        return report_queries.find_attribution(self._ledger, picture)

    def find_content(self, content: str) -> SampleRow | None:
        """Return the image on disk with a content hash, or None."""
        rows = (row for row in self._pictures.find_by_content([content]) if row.state == "present")
        return next((report_queries.SampleRow(row.id, row.class_name, row.name, "") for row in rows), None)
