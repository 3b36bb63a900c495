"""One worker: folders with a decoy home, a process for each command, and the rules that must hold.

A command runs in a process forked from this one, which has imported everything: a `status` takes 50 ms
instead of a second, and a crash affects no other one. The rules: no exit code 1, no traceback, no signal, an end in
time, memory that stays flat, no connection beyond loopback, and no file of the home changed or opened.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import stat
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.fuzzing import child
from tests.bench.fuzzing.findings import Failure, failures_in, innermost_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SECONDS = 60.0  # after which a command is hanging: twenty times as long as the slowest takes
MEMORY = 2 << 30  # bytes of resident memory: decoding one image takes 256 MiB at most, torch 300
OURS = ("dataset", "dataset.raw", "dataset.rejected", "run", "shapes", "shapes.runs", "inputs")
_TICK = 0.003


class Ended(NamedTuple):
    """A command that has ended."""

    code: int  # negative: the signal that killed it
    out: str
    err: str


@dataclass
class Account:
    """What a part has run, and how it broke the rules."""

    cases: int = 0
    inputs: int = 0
    commands: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    failures: dict[tuple[str, str], tuple[Failure, list[int]]] = field(default_factory=dict)

    def add(self, failure: Failure, seed: int) -> None:
        """Record a failure, and the seed of its case."""
        _, seeds = self.failures.setdefault(failure[:2], (failure, []))
        if seed not in seeds:
            seeds.append(seed)

    def absorb(self, other: Account) -> None:
        """Add the results of another worker."""
        self.cases += other.cases
        self.inputs += other.inputs
        self.commands += other.commands
        self.codes += other.codes
        for failure, seeds in other.failures.values():
            for seed in seeds:
                self.add(failure, seed)


class Bench:
    """The folders of one worker below `base`; commands run in `workdir`, a folder of the decoy home."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        self.workdir = self.home / "work"
        self.templates = base / "templates"
        self.account = Account()
        self.seed = 0
        self.environ: dict[str, str] = {}
        self._strays = base / "strays"
        for folder in (base / "tmp", base / "settings", self.templates):
            folder.mkdir(parents=True, exist_ok=True)
        self.clear()

    def clear(self) -> None:
        """Begin a case: restore the home, and remove the files of the last case."""
        shutil.rmtree(self.home, ignore_errors=True)
        write_home(self.home)
        self.workdir.mkdir()
        (self.workdir / "precious.jpg").write_bytes(b"an image next to the dataset")
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "XDG_CONFIG_HOME": str(self.base / "settings"),
            "XDG_CACHE_HOME": str(self.base / "settings"),
            "TMPDIR": str(self.base / "tmp"),
            "COLUMNS": "110",
            "PYTHONUTF8": "1",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
        }

    def draw(self, part: str) -> random.Random:
        """Return the random generator of the case: the same for the same part and seed."""
        return random.Random(f"{part} {self.seed}")

    def harvest(self, *args: object, seconds: float = SECONDS, before: Callable[[], None] | None = None) -> Ended:
        """Run `harvest` with these arguments, and record each broken rule."""
        words = ["harvest", *map(str, args)]

        def work() -> None:
            from harvest.cli import main  # noqa: PLC0415 - imported long before

            sys.argv = words
            if before is not None:
                before()
            main()

        return self.call(work, " ".join(words), seconds=seconds)

    def call(self, work: Callable[[], object], name: str, *, seconds: float = SECONDS) -> Ended:
        """Run a function in a process of its own, and record each broken rule."""
        before = snapshot(self.home)
        self._strays.unlink(missing_ok=True)
        ended, failures = self._run(work, seconds)
        self.account.commands += 1
        self.account.codes[ended.code] += 1
        if after := changes(before, snapshot(self.home)):
            failures.append(
                Failure("files outside of the dataset changed", after[0].partition(" ")[0], "\n".join(after))
            )
        if self._strays.exists():
            text = self._strays.read_text("utf-8")
            failures.append(Failure("outside of the dataset", text.partition(":")[0], text))
        for failure in failures:
            self.account.add(failure._replace(text=f"$ {name}\n{failure.text}"), self.seed)
        return ended

    def _run(self, work: Callable[[], object], seconds: float) -> tuple[Ended, list[Failure]]:
        streams = (self.base / "out", self.base / "err")
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if not pid:
            child.run(
                work,
                folder=self.workdir,
                environ=self.environ,
                streams=streams,
                watched=self.home / "documents",
                strays=self._strays,
                seconds=seconds,
            )
        status, peak, late = _wait(pid, seconds)
        out, err = (path.read_text("utf-8", "replace") if path.exists() else "" for path in streams)
        ended = Ended(os.waitstatus_to_exitcode(status), out, err)
        return ended, list(_broken_rules(ended, peak, late=late))


def _wait(pid: int, seconds: float) -> tuple[int, int, bool]:
    """Wait for a process; return its status, its peak memory in bytes, and whether it had to be killed."""
    end, late = time.monotonic() + seconds, False
    while True:
        ended, status, usage = os.wait4(pid, os.WNOHANG)
        if ended:
            return status, usage.ru_maxrss * 1024, late
        if time.monotonic() > end:
            late = True
            os.killpg(pid, signal.SIGKILL)
        time.sleep(_TICK)


def _broken_rules(ended: Ended, peak: int, *, late: bool) -> Iterable[Failure]:
    messages = ended.out + ended.err
    found = failures_in(ended.err) + failures_in(ended.out)
    yield from found
    if late:
        yield Failure("hang", innermost_place(messages, first=True), messages[-4000:])
    elif ended.code < 0:
        name = signal.Signals(-ended.code).name
        yield Failure(f"killed by {name}", innermost_place(messages, first=True), messages[-4000:])
    elif ended.code == 1 and not found:
        yield Failure("exit code 1", messages.strip().partition("\n")[0][:80], messages[-4000:])
    if peak > MEMORY:
        yield Failure("memory", "more than 2 GiB", f"{peak / (1 << 30):.1f} GiB\n{messages[-2000:]}")


# The decoy home.


def write_home(home: Path) -> None:
    """Write typical files of a user's home."""
    for name in (
        ".bash_profile",
        ".ssh/id_ed25519",
        "documents/thesis.tex",
        "documents/photo.jpg",
        "notes.txt",
    ):
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"years of work: {name}\n", "utf-8")


def snapshot(home: Path) -> dict[str, tuple[object, ...]]:
    """Return the kind, mode, size, time and content of everything in a home that commands may not change."""
    found: dict[str, tuple[object, ...]] = {}

    def walk(folder: str, inside: str) -> None:
        for entry in os.scandir(folder):
            name = f"{inside}{entry.name}"
            if inside == "work/" and entry.name in OURS:
                continue
            about = entry.stat(follow_symlinks=False)
            if entry.is_symlink():
                found[name] = ("link", str(Path(entry.path).readlink()))
            elif entry.is_dir():
                found[name] = ("folder", stat.S_IMODE(about.st_mode))
                walk(entry.path, f"{name}/")
            else:
                with open(entry.path, "rb") as file:  # noqa: PTH123 - no object for each of many files
                    digest = hashlib.sha256(file.read()).hexdigest()
                found[name] = ("file", stat.S_IMODE(about.st_mode), about.st_size, about.st_mtime_ns, digest)

    walk(str(home), "")
    return found


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the names that differ between two snapshots."""
    names = sorted(before.keys() | after.keys())
    kinds = {(True, False): "deleted", (False, True): "created", (True, True): "changed"}
    return [f"{kinds[name in before, name in after]} {name}" for name in names if before.get(name) != after.get(name)]
