"""What a format is: how it lays out the images, what it cannot hold, and how its files are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from harvest.export.place_image import place_image
from harvest.files import disk
from harvest.files.check_names_and_cells import check_component, fold_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harvest.export.records import ExportDataset, ExportImage

Progress: TypeAlias = Callable[[int], None]  # called with the number of images that are written


class Exporter(Protocol):
    """One format. `find_problems` is called before anything is written."""

    @property
    def title(self) -> str:
        """For the help: what the format is."""

    @property
    def reads(self) -> str:
        """A line of code that loads the export from the folder OUT."""

    @property
    def advice(self) -> str:
        """What a user must know or do before loading it; empty if there is nothing."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The modules that writing needs, each with the name of its package."""

    def image_path(self, image: ExportImage) -> str | None:
        """Return the path of an image in the export, or `None` if it is in a larger file."""

    def data_files(self, split: str) -> str:
        """Return the pattern of the files of a split for `datasets`; empty if it does not read the format."""

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield why the format cannot hold the dataset, each with what to change."""

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Write the images and what the format needs; the files of every export are written by others."""


class FolderExporter:
    """The common part of formats of class folders in split folders; one image is one file."""

    title = ""
    reads = ""
    advice = ""
    packages: tuple[str, ...] = ()
    has_all_folders = False  # a folder for every class in every split, even an empty one
    split_folders = {"train": "train", "validation": "validation", "test": "test"}  # noqa: RUF012 - constant

    def image_path(self, image: ExportImage) -> str | None:
        """Return split/class/name."""
        return f"{self.split_folders[image.split]}/{image.class_name}/{image.file_name}"

    def data_files(self, split: str) -> str:
        """Return everything in the folder of a split."""
        return f"{self.split_folders[split]}/**"

    def find_problems(self, dataset: ExportDataset) -> Iterator[str]:
        """Yield the class names that cannot be folders everywhere."""
        yield from find_folder_problems(dataset.classes)

    def write(self, dataset: ExportDataset, folder: Path, progress: Progress) -> None:
        """Place every image at its path."""
        if self.has_all_folders:
            for split in dataset.splits:
                for name in dataset.classes:
                    disk.make_folder(folder / self.split_folders[split] / name)
        for done, image in enumerate(dataset.images, 1):
            path = self.image_path(image)
            assert path is not None
            place_image(image, folder / path)
            progress(done)


def find_folder_problems(classes: tuple[str, ...]) -> Iterator[str]:
    """Yield the class names that some platform cannot hold as folders, and those that it would merge."""
    spellings = defaultdict(list)
    for name in classes:
        spellings[fold_name(name)].append(name)
        try:
            check_component(name)
        except ValueError as why:
            yield f"the class {name!r} cannot be a folder on every platform: {why}. Rename its folder."
    for names in spellings.values():
        if len(names) > 1:
            yield f"the classes {' and '.join(names)} would be one folder on macOS and Windows. Rename one of them."
