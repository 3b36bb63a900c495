"""Ends the process, or breaks the disk, at the Nth thing that a harvest does to ledger and folders.

A small job runs in a child of its own: pictures found, placed, replaced by better ones, refused, rejected,
moved, restored. At operation N the child is ended without a word, or the operation fails; then the same job
runs again to its end, and what it leaves is compared with what an undisturbed job leaves. A second child may
be ended while it repairs what the first one left. As a program it goes through every N and prints what it saw.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from harvest.dataset import LIMIT_REACHED, Dataset, HitVerdict, Placement
from harvest.errors import StorageError
from harvest.files import disk
from harvest.ledger import database
from harvest.models import Task
from harvest.verdicts import Verdict
from tests.datasets import a_hit, a_picture, a_query, name, sha, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from harvest.models import Picture

DIED = 77  # the exit status of a child that was ended on purpose
MISSED = 0  # of one that came to its end before operation N
SAID = 6  # of one that said what the disk would not do

DEAD, REJECTED, WORSE, BETTER = 1, 2, 3, 50  # numbers of hits, and what becomes of them
DUPLICATE, MOVED, RESTORED = 4, 5, 6

SHARD = 8000  # bytes: two to three pictures
MENDING = 12  # operations in which the second job is still mending what the first one left


def job(root: Path) -> None:
    """Do the job, or the rest of it."""
    # Elsewhere for each folder: the paths of all of them would be read and written by every job.
    os.environ["XDG_CONFIG_HOME"] = f"{root.parent}.settings"
    with Dataset.open(root, create=True, exclusive=True) as dataset:
        if "shards" in sys.argv[2:]:
            dataset.use_shards(SHARD)
        for class_name, numbers in (("king", range(7)), ("coral", [20])):
            harvest(dataset, class_name, list(numbers))
        harvest(dataset, "king", [BETTER], text="larger king snake")
        prune(dataset)


def harvest(dataset: Dataset, class_name: str, numbers: list[int], text: str = "snake") -> None:
    """Search, download and place as the pipeline does."""
    search = dataset.begin_search(a_query(class_name, text), "BING", len(numbers))
    hits = [task.hit for task in dataset.unsettled_tasks(search.id)]
    if not search.finished:
        hits += [a_hit(number) for number in numbers]
    ways = {way.id: way for way in dataset.record_hits(search.id, class_name, hits) if isinstance(way, Task)}
    tasks = list(ways.values())
    for start in range(0, len(tasks), 4):
        settle(dataset, tasks[start : start + 4])
    dataset.finish_search(search.id, LIMIT_REACHED, len(numbers))


def settle(dataset: Dataset, tasks: list[Task]) -> None:
    """Process a batch as the pipeline does: refuse, place, or replace another picture."""
    known = {one.content: one for one in dataset.list_present()}
    placements, settlements = [], []
    for task in tasks:
        if task.hit.rank == DEAD:
            settlements.append(HitVerdict(task.id, Verdict.GONE))
        elif task.hit.rank == DUPLICATE:
            first = known.get(a_picture(0).content)
            settlements.append(HitVerdict(task.id, Verdict.DUPLICATE, "", first.id if first else None))
        else:
            worse = known.get(a_picture(WORSE).content) if task.hit.rank == BETTER else None
            placements.append(Placement(task, picture(task.hit.rank), worse))
    dataset.place(placements)
    dataset.record_verdicts(settlements)


def picture(number: int) -> Picture:
    """Draw a picture; every second one keeps its original."""
    return a_picture(number, original=b"original %d" % number if number % 2 else None)


def prune(dataset: Dataset) -> None:
    """Make the decisions of a person that are not made yet."""
    classes = {known.content: known.class_name for known in dataset.list_present()}
    if a_picture(REJECTED).content in classes:
        dataset.reject(dataset.find(name(REJECTED)), by="page")
    if classes.get(a_picture(MOVED).content) == "king":
        dataset.move(dataset.find(name(MOVED)), "coral", by="page")
    report = dataset.history_of_text(name(RESTORED))
    done = [event.action for event in report.events]
    if "reject" not in done:
        dataset.reject(dataset.find(name(RESTORED)), by="page")
    if "restore" not in done:
        dataset.restore(dataset.find(name(RESTORED)), by="cli")


def outcome(root: Path) -> dict[str, object]:
    """Return the result of a job: files, verdicts and decisions, without anything that differs from run to run."""
    connection = sqlite3.connect(root / "harvest.db")
    try:
        return {
            "files": sorted(f"{path} {sha(data)}" for path, data in tree(root.parent).items() if "shard-" not in path),
            "samples": sorted(member for path in root.glob("shard-*") for member in read_shard(path)),
            "pictures": connection.execute(
                "SELECT class, name, state, shelved, touched FROM picture ORDER BY class, name, state"
            ).fetchall(),
            "hits": connection.execute(
                "SELECT hit.class, url, verdict, name FROM hit LEFT JOIN picture ON picture.id = hit.picture"
                " ORDER BY hit.class, url"
            ).fetchall(),
            "searches": connection.execute(
                "SELECT class, text, asked, ending FROM search ORDER BY class, text"
            ).fetchall(),
            "decisions": connection.execute(
                'SELECT by, action, "from", "to" FROM decision ORDER BY 1, 2, 3, 4'
            ).fetchall(),
            "pending": connection.execute("SELECT * FROM pending").fetchall(),
            "conflicts": connection.execute("SELECT class, resolved IS NULL FROM conflict").fetchall(),
            "integrity": connection.execute("PRAGMA integrity_check").fetchall(),
        }
    finally:
        connection.close()


def read_shard(path: Path) -> list[str]:
    """Return the members of a complete shard, without their order: it depends on where a job was interrupted."""
    assert path.suffix == ".tar"
    assert path.stat().st_size <= SHARD
    with tarfile.open(path) as shard:
        return [f"{member.name} {sha(shard.extractfile(member).read())}" for member in shard]


# What happens at operation N. Each takes the call that was about to be made.


def die(_: Callable[..., object], *__: object) -> None:
    """End the process at once, as kill -9 does."""
    os._exit(DIED)


def die_half_way(real: Callable[..., object], *values: object) -> object:
    """End the process in the middle of a write, or right after any other operation."""
    if len(values) == 3:
        real(*values[:-1], values[-1][: len(values[-1]) // 2])
    elif isinstance(values[-1], bytes):
        Path(values[0]).write_bytes(values[-1][: len(values[-1]) // 2])
    else:
        real(*values)
    os._exit(DIED)


def no_space(_: Callable[..., object], *values: object) -> None:
    """Fail as a full disk does."""
    _fail(errno.ENOSPC, sqlite3.SQLITE_FULL, *values)


def broken(_: Callable[..., object], *values: object) -> None:
    """Fail as a broken disk does."""
    _fail(errno.EIO, sqlite3.SQLITE_IOERR, *values)


def _fail(number: int, code: int, *values: object) -> None:
    if isinstance(values[0], sqlite3.Connection):
        error = sqlite3.OperationalError(os.strerror(number))
        error.sqlite_errorcode = code
        raise error
    raise OSError(number, os.strerror(number))


WAYS = {way.__name__: way for way in (die, die_half_way, no_space, broken)}
STEPS = ("make_folder", "make_subfolder", "write", "write_at", "copy", "replace", "remove", "sync_folder")
CALLS = [(disk, name) for name in STEPS]
CALLS += [(database, name) for name in ("begin", "commit")]


def arm(number: int, way: Callable[..., object]) -> None:
    """Call `way` at operation `number`; from then on a broken disk stays broken."""
    count = itertools.count(1)
    lasting = way in (no_space, broken)
    for module, called in CALLS:
        real = getattr(module, called)

        def call(*values: object, real: Callable[..., object] = real) -> object:
            now = next(count)
            return way(real, *values) if now == number or (lasting and now > number) else real(*values)

        setattr(module, called, call)


def child(root: Path, number: int, way: Callable[..., object]) -> int:
    """Run the job in a child process in which operation `number` fails, and return its exit status."""
    process = os.fork()
    if process == 0:
        status = 1
        try:
            arm(number, way)
            job(root)
            status = MISSED
        except StorageError:
            status = SAID
        except BaseException as error:  # noqa: BLE001 - the child must not come back as a second parent
            print(f"{way.__name__} at {number}: {error!r}", file=sys.stderr)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def torment(folder: Path, way: Callable[..., object], *, twice: bool) -> dict[str, object]:
    """Go through every operation of the job; return those without recovery, and deleted images that return."""
    undisturbed = folder / "undisturbed" / "dataset"
    job(undisturbed)
    expected = outcome(undisturbed)
    statuses, failures, returned, deleted = Counter(), {}, {}, 0
    for number in itertools.count(1):
        root = folder / str(number) / "dataset"
        status = child(root, number, way)
        statuses[status] += 1
        if status == MISSED:
            break
        if status == DIED and root.parent.exists():
            copy = shutil.copytree(root.parent, folder / f"{number}-deleted") / "dataset"
            images = delete_images(copy)
            deleted += len(images)
            job(copy)
            if back := [image for image in images if list(copy.glob(f"*/{image}"))]:
                returned[number] = back
        if twice:
            child(root, number % MENDING + 1, way)
        try:
            job(root)
            found = outcome(root)
        except (StorageError, AssertionError, sqlite3.Error) as error:
            failures[number] = repr(error)
            continue
        differ = {key: [found[key], value] for key, value in expected.items() if found[key] != value}
        if differ:
            failures[number] = differ
    seen = {"statuses": statuses, "failures": failures, "expected": expected}
    return {"operations": number - 1, "deleted": deleted, "returned": returned, **seen}


def delete_images(root: Path) -> list[str]:
    """Delete every image in the class folders, as a person might after a kill, and return their names."""
    images = [path for path in root.glob("*/*.jpg") if path.name != name(RESTORED)]
    for path in images:
        path.unlink()
    return [path.name for path in images]


if __name__ == "__main__":
    # In memory where that can be: flushing is a matter of order, and the order is the same there.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as temporary:
        json.dump(torment(Path(temporary), WAYS[sys.argv[1]], twice="twice" in sys.argv[2:]), sys.stdout)
