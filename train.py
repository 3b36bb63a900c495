"""Train an image classifier on class folders: `python train.py dataset`.

The script reads from top to bottom: each step of the training is one call into harvest/training.
Copy it and change it; nothing else needs to know. `harvest train` runs the same steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli.train_entry import main
from harvest.training.evaluation import evaluate
from harvest.training.export_step import export
from harvest.training.fine_tuning import fine_tune
from harvest.training.head_training import load_network, train_head
from harvest.training.load_and_split import read_folders
from harvest.training.objects_shared_by_steps import begin_session
from harvest.training.write_report import write_run_report

if TYPE_CHECKING:
    from harvest.training.export_step import TrainingResult
    from harvest.training.progress import Progress
    from harvest.training.training_options import TrainingOptions


def train(options: TrainingOptions, progress: Progress) -> TrainingResult:
    """Train a classifier on a folder of class folders, and write it with its evaluation into a run directory."""
    session = begin_session(options, progress)  # creates the run directory; with --resume, reopens it

    # 1  Read the class folders and split the images into train, valid and test. Near-duplicates always go to
    #    the same part, and an image keeps its part in later runs.
    data = read_folders(session)

    # 2  Compute the features of the frozen pretrained network and fit a linear head on them, in seconds.
    #    The same features show whether more images would help, and which images may have a wrong label.
    network = load_network(session, data)
    frozen_head = train_head(session, network, data)

    # 3  Fine-tune all layers with a one-cycle schedule. The frozen head is candidate 0; the better one is saved.
    fine_tuned = fine_tune(session, network, data, frozen_head)
    session.end_other_processes()  # where torchrun started several: one process does the rest

    # 4  Evaluate on held-out images: valid selected the best epoch, test has had no influence until now.
    evaluation = evaluate(session, network, data, frozen_head, fine_tuned)
    write_run_report(session, data, frozen_head, fine_tuned, evaluation, network=network)

    # 5  Export the network to the formats of --export, for use without this package.
    return export(session, network, data, fine_tuned, evaluation)


if __name__ == "__main__":
    main(train)
