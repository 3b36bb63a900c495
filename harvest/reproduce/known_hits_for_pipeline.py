"""What the pipeline needs of a dataset that is rebuilt: its hits are known, so no source is searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harvest.dataset import EXHAUSTED, SearchRecord
from harvest.models import Filters, Query
from harvest.providers.base import Provider

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harvest.ledger.expected_images_tables import RebuildTable
    from harvest.models import Hit, Refusal, Task
    from harvest.web.request_search_pages import SearchSession


class ExpectedImages(Provider):
    """The source of a rebuild: it finds nothing new, and each class is one finished search with unfinished hits."""

    name: ClassVar = "RECIPE"
    label: ClassVar = "the recipe"
    about: ClassVar = "the images of a recipe"
    pace: ClassVar = 0.0

    def search(self, query: Query, pages: SearchSession) -> Iterator[Hit]:  # noqa: ARG002 - makes no request
        """Yield nothing: all hits are known."""
        return iter(())


class RebuildLedger:
    """Gives the pipeline the expected images, class by class, as unfinished hits of finished searches."""

    def __init__(self, table: RebuildTable) -> None:
        self._table = table
        self._classes = table.classes()

    def queries(self) -> list[Query]:
        """Return one query for each class; its filters refuse nothing, as the images were accepted before."""
        return [Query(name, name, filters=Filters(min_size=1)) for name in self._classes]

    def begin_search(self, query: Query, provider: str, limit: int) -> SearchRecord:  # noqa: ARG002 - there is one
        """Return the finished search of a class."""
        return SearchRecord(self._classes.index(query.class_name), finished=True, asked=limit, end=EXHAUSTED, waiting=0)

    def finish_search(self, search_id: int, end: str, asked: int) -> None:
        """Do nothing: the searches of a recipe ended when it was written."""

    def record_hits(self, search_id: int, class_name: str, hits: Sequence[Hit]) -> list[Task | Refusal]:  # noqa: ARG002
        """Return nothing: no hit is found."""
        return []

    def recheck_hits(self, tasks: Sequence[Task]) -> list[Task | Refusal]:
        """Return all tasks: each is one image of the recipe, whatever else its photograph gave."""
        return list(tasks)

    def unsettled_tasks(self, search_id: int) -> list[Task]:
        """Return the images of a class that are left to download."""
        return self._table.tasks(self._classes[search_id])
