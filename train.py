"""From class folders to a classifier: `python train.py dataset`.

Read it from top to bottom: it is the whole story of a training, each step one call into harvest/learning.
Copy it and change it; nothing else needs to know. `harvest train` tells the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvest.cli.page import main
from harvest.learning.ending import export
from harvest.learning.folders import read_folders
from harvest.learning.frozen import learn_head, load_network
from harvest.learning.judging import judge
from harvest.learning.session import begin
from harvest.learning.showing import report
from harvest.learning.tuning import fine_tune

if TYPE_CHECKING:
    from harvest.learning.ending import Result
    from harvest.learning.options import Options
    from harvest.learning.telling import Teller


def train(options: Options, teller: Teller) -> Result:
    """Turn a folder of class folders into a directory that holds a classifier and tells how good it is."""
    session = begin(options, teller)  # the directory to write: new, or the one to go on with

    # 1  Folders → splits. Twins never straddle the line, and a picture stays where it was once dealt.
    pictures = read_folders(session)

    # 2  Frozen features → head, in seconds. The same features tell whether more pictures would help,
    #    and which pictures look as if they lay in the wrong folder.
    network = load_network(session, pictures)
    frozen = learn_head(session, network, pictures)

    # 3  Unfreeze: one cycle over all layers. The frozen head is candidate 0; the better one stays.
    tuned = fine_tune(session, network, pictures, frozen)
    session.dismiss_others()  # where torchrun started several processes

    # 4  Judge, at last on pictures that no choice was made by, and show where it goes wrong.
    judged = judge(session, network, pictures, frozen, tuned)
    report(session, pictures, frozen, tuned, judged)

    # 5  Export, for those who will never see Python.
    return export(session, network, tuned, judged)


if __name__ == "__main__":
    main(train)
