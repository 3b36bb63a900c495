"""Build the dataset of a recipe again, and report what has changed since it was written."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harvest import credentials
from harvest.dataset import Dataset
from harvest.dataset.ledger_and_lock import check_is_outside_datasets
from harvest.default_callbacks import ignore_message
from harvest.errors import UsageError
from harvest.files import disk
from harvest.harvesting.download import LocalWorkers
from harvest.models import Recipe
from harvest.reproduce.fetch_expected_images import rebuild_dataset
from harvest.reproduce.find_expected_image_workers import RebuildWorkers
from harvest.reproduce.import_records import RecordImporter
from harvest.reproduce.read_recipe import read_recipe
from harvest.web.host_rules_cache import HostRulesCache
from harvest.web.image_client import ImageClient, ImageLimits
from harvest.web.user_agent import CONTACT_VARIABLE
from harvest.web.wayback import Wayback

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from harvest.harvesting.summary import Summary
    from harvest.ledger.expected_images_tables import ExpectedImage
    from harvest.models import Task
    from harvest.reproduce.rebuild_summary import RebuildSummary


def replay_recipe(
    recipe: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    archive: bool = False,
    accept_changed: bool = False,
    keep_originals: bool = False,
    proxy: str | None = None,
    connections: int = 32,
    progress: Callable[[Summary], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> RebuildSummary:
    """Download the images of a recipe into the dataset `out`, and return the result of each.

    The recipe is checked completely before anything is written. The same call continues a run that was interrupted,
    and tries again what was gone. With `archive`, the Wayback Machine is asked for what is gone. With
    `accept_changed`, an image that is not the one of the recipe is placed too.
    """
    path = Path(recipe)
    check_is_outside_datasets(Path(out))
    digest = _check_recipe(path)
    with Dataset.open(out, create=True, exclusive=True, say=say) as dataset:
        _expect_images(dataset, path, digest)

        def make_workers(expected: Mapping[int, ExpectedImage]) -> RebuildWorkers:
            client = open_client(proxy=proxy, connections=connections, say=say)
            local = make_local_workers(client, expected, keep_originals=keep_originals)
            return RebuildWorkers(local, expected, archive=Wayback(client) if archive else None)

        return rebuild_dataset(dataset, make_workers, accept_changed=accept_changed, progress=progress)


def _check_recipe(path: Path) -> str:
    """Read a recipe to its end, and return the digest of the file; raise `RecipeError` for an invalid line."""
    if not path.is_file():
        raise UsageError(f"there is no recipe {path}.", "Write one with harvest recipe DATASET.")
    deque(read_recipe(path), maxlen=0)
    with disk.read_errors_named(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _expect_images(dataset: Dataset, path: Path, digest: str) -> None:
    """Record what the recipe describes, unless an earlier run did."""
    known = dataset.rebuild.digest()
    if known == digest:
        return
    if known is not None or not dataset.rebuild.is_empty():
        raise UsageError(
            f"{dataset.root} is another dataset, not one that {path.name} describes. Nothing was changed.",
            "Name a new folder with -o.",
        )
    with dataset.rebuild.transaction():
        dataset.rebuild.begin(digest)
        RecordImporter(dataset.rebuild).add_all(read_recipe(path))


def open_client(*, proxy: str | None, connections: int, say: Callable[[str], None] | None) -> ImageClient:
    """Return the client of images with its address check, opt-outs and pace, as in a harvest."""
    return ImageClient(
        limits=replace(ImageLimits(), connections=connections),
        proxy=proxy,
        host_rules=HostRulesCache(),
        contact=credentials.environ().get(CONTACT_VARIABLE, "").strip(),
        say=say or ignore_message,
    )


def make_local_workers(
    client: ImageClient, expected: Mapping[int, ExpectedImage], *, keep_originals: bool
) -> LocalWorkers:
    """Return workers that write each image as it is expected."""

    def recipe_of(task: Task) -> Recipe:
        return replace(expected[task.id].recipe, keep_original=keep_originals)

    return LocalWorkers(client, Recipe(), recipe_of=recipe_of)
