"""The objects that every stage of a fine-tuning uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harvest.labelled_pictures.find_files import SplitPart
from harvest.training.cpu_parallel import workers_for_training
from harvest.training.torch_dataset import ImageDataset
from harvest.training.trainer.loss import Loss
from harvest.training.trainer.mixup import BatchMixup

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from harvest.labelled_pictures.load_pictures import LabelledPictures
    from harvest.splits.split_images import Split
    from harvest.training.augment import View
    from harvest.training.cpu_parallel import CpuWorkers
    from harvest.training.metrics.metrics_computed_each_epoch import EpochMetrics
    from harvest.training.network.network_with_classes import Network
    from harvest.training.processes_and_devices import Processes
    from harvest.training.progress import Progress
    from harvest.training.run_directory import TrainingRun
    from harvest.training.trainer.find_best_epoch import EpochTable
    from harvest.training.training_options import TrainingOptions


@dataclass
class TrainingContext:
    """The objects that every stage of a fine-tuning uses."""

    network: Network
    pictures: LabelledPictures
    split: Split
    options: TrainingOptions
    run: TrainingRun
    progress: Progress
    processes: Processes
    measures: EpochMetrics
    table: EpochTable
    view: View | None
    gone: set[str] = field(default_factory=set)

    @property
    def loss(self) -> Loss:
        """The loss, with the class weights of the training set."""
        targets = self.pictures.targets[self.split.rows(SplitPart.TRAIN)]
        return Loss(targets, len(self.pictures.labels), balanced=self.options.is_balanced)

    @property
    def mixup(self) -> BatchMixup | None:
        """How training batches are blended; None without `--mixup`."""
        options = self.options
        return BatchMixup(options.mixup, len(self.pictures.labels), seed=options.seed) if options.mixup else None

    def cpu_workers(self) -> AbstractContextManager[CpuWorkers]:
        """Return the workers that share each batch; one if batch norm is trained or there are several processes."""
        options = self.options
        return workers_for_training(
            self.network,
            batch=options.batch * options.n_augmentation,
            seed=options.seed,
            together=options.from_scratch or self.processes.count > 1,
        )

    def dataset(self, part: SplitPart) -> ImageDataset:
        """Return the images of a part; those of the training set in new augmented views every epoch."""
        rows = self.split.rows(part).tolist()
        if part != SplitPart.TRAIN:
            return ImageDataset(self.pictures, rows, self.network)
        times = self.options.n_augmentation if self.view else 1
        return ImageDataset(self.pictures, rows, self.network, view=self.view, times=times, seed=self.options.seed)
