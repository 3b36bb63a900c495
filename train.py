"""From class folders to a classifier: `python train.py dataset`.

Read it from top to bottom: it is the whole story of a training, each step one call into harvest/training.
Copy it and change it; nothing else needs to know. `harvest train` tells the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli.train_entry import main
from harvest.training.evaluation import evaluate
from harvest.training.export_step import export
from harvest.training.fine_tuning import fine_tune
from harvest.training.head_training import load_network, train_head
from harvest.training.load_folders import read_folders
from harvest.training.session import begin_session
from harvest.training.write_report import write_run_report

if TYPE_CHECKING:
    from harvest.training.export_step import TrainingResult
    from harvest.training.progress import Progress
    from harvest.training.training_options import TrainingOptions


def train(options: TrainingOptions, teller: Progress) -> TrainingResult:
    """Turn a folder of class folders into a directory that holds a classifier and tells how good it is."""
    session = begin_session(options, teller)  # the directory to write: new, or the one to go on with

    # 1  Folders → splits. Twins never straddle the line, and a picture stays where it was once dealt.
    pictures = read_folders(session)

    # 2  Frozen features → head, in seconds. The same features tell whether more pictures would help,
    #    and which pictures look as if they lay in the wrong folder.
    network = load_network(session, pictures)
    frozen = train_head(session, network, pictures)

    # 3  Unfreeze: one cycle over all layers. The frozen head is candidate 0; the better one stays.
    tuned = fine_tune(session, network, pictures, frozen)
    session.end_other_processes()  # where torchrun started several processes

    # 4  Judge, at last on pictures that no choice was made by, and show where it goes wrong.
    judged = evaluate(session, network, pictures, frozen, tuned)
    write_run_report(session, pictures, frozen, tuned, judged)

    # 5  Export, for those who will never see Python.
    return export(session, network, tuned, judged)


if __name__ == "__main__":
    main(train)
