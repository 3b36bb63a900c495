"""Run the real commands on damaged images, responses, pages, ledgers and training runs, and report failures.

    python tests/bench/fuzz.py                            a minute, all parts, one worker
    python tests/bench/fuzz.py --seconds 600 --jobs 2
    python tests/bench/fuzz.py --only ledgers --seed 4711 --cases 1 --keep /tmp/case

The last line repeats one case, and keeps its files in a folder. The exit status is 1 if a rule was broken;
`tests/bench/fuzzing/bench.py` lists the rules. Every case depends only on its part and its seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pkgutil
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch is imported: the processes that are forked must have no threads.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
sys.path.insert(0, str(Path(__file__).parents[2]))

import typer.main

import harvest
from tests.bench.fuzzing.bench import Account, Bench

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS = ("images", "answers", "pages", "ledgers", "runs")
STARTING = (
    "__main__",
    "onnx_engine",
)  # modules that start something when they are imported: a command, a thread
BESIDE = (  # what commands import besides modules of harvest
    *(
        "bs4",
        "flickrapi",
        "imagehash",
        "scipy.fftpack",
        "pydantic.main",
        "pydantic.type_adapter",
        "typer._click",
    ),
    *("torch", "transformers", "accelerate", "safetensors.torch", "tests.bench.fuzzing.plug"),
    *("tests.datasets", "tests.web", "tests.training.tiny", "tests.training.shapes"),
)


def warm_up() -> None:
    """Import everything that commands import, once for all of them."""
    for module in pkgutil.walk_packages(harvest.__path__, "harvest."):
        if not module.name.endswith(STARTING):
            import_module(module.name)
    for name in BESIDE:
        import_module(name)
    import torch  # noqa: PLC0415 - a second, which `--help` does not need

    from harvest.cli.app import app  # noqa: PLC0415
    from harvest.cli.train import load_train_script  # noqa: PLC0415

    torch.set_num_threads(1)
    load_train_script()
    typer.main.get_command(app)
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads are lost in a forked process"


def run_part(bench: Bench, name: str, seeds: range, seconds: float) -> Account:
    """Run cases of a part until the time is up or no seed is left."""
    part = import_module(f"tests.bench.fuzzing.{name}")
    bench.account = Account()
    end = time.monotonic() + seconds
    for bench.seed in seeds:
        if time.monotonic() > end:
            break
        bench.clear()
        bench.account.inputs += part.case(bench)
        bench.account.cases += 1
    return bench.account


def prepare(bench: Bench, names: Sequence[str]) -> None:
    """Prepare the inputs that the parts damage."""
    warm_up()
    for name in names:
        import_module(f"tests.bench.fuzzing.{name}").prepare(bench)
    if bench.account.failures:
        raise SystemExit(f"cannot prepare:\n{next(iter(bench.account.failures.values()))[0].text}")


def work(base: Path, templates: Path, names: Sequence[str], seeds: range, seconds: float) -> dict[str, Account]:
    """Run as one worker: its share of the seeds, one part after the other."""
    bench = Bench(base)
    bench.templates = templates
    return {name: run_part(bench, name, seeds, seconds / len(names)) for name in names}


def print_account(name: str, account: Account) -> None:
    """Print how many inputs a part ran, and each failure with the command that repeats it."""
    codes = ", ".join(f"{count} × {code}" for code, count in sorted(account.codes.items()))
    inputs, cases, commands = (f"{count:,}" for count in (account.inputs, account.cases, account.commands))
    print(f"{name:<8} {inputs:>6} inputs in {cases:>5} cases and {commands:>6} commands; exit codes {codes}")
    for failure, seeds in account.failures.values():
        print(f"\n  {failure.kind} · {failure.place} · {len(seeds)} cases")
        print(f"  python tests/bench/fuzz.py --only {name} --seed {seeds[0]} --cases 1")
        for line in failure.text.strip().splitlines()[-40:]:
            print(f"  | {line[:200]}")
        print()


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds",
        type=float,
        default=60,
        metavar="N",
        help="time for all parts, without preparing them",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the first case; later cases increase it"
    )
    parser.add_argument("--cases", type=int, metavar="N", help="maximum number of cases per part")
    parser.add_argument(
        "--only",
        action="append",
        choices=PARTS,
        metavar="PART",
        help=f"one of {', '.join(PARTS)}; repeatable",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="number of parallel workers")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files of the last case in FOLDER")
    asked = parser.parse_args(words)
    names = asked.only or PARTS
    end = asked.seed + asked.cases if asked.cases else sys.maxsize
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        base = Path(temporary).resolve()
        first = Bench(base / "0")
        prepare(first, names)
        shares = [
            (
                base / str(number),
                first.templates,
                names,
                range(asked.seed + number, end, asked.jobs),
                asked.seconds,
            )
            for number in range(asked.jobs)
        ]
        accounts = {name: Account() for name in names}
        if asked.jobs == 1:
            found = [work(*shares[0])]
        else:
            with ProcessPoolExecutor(asked.jobs, mp_context=multiprocessing.get_context("fork")) as workers:
                found = [each.result() for each in [workers.submit(work, *share) for share in shares]]
        for name, account in ((name, account) for each in found for name, account in each.items()):
            accounts[name].absorb(account)
        if asked.keep:
            shutil.copytree(base / "0" / "home" / "work", asked.keep, symlinks=True)
    for name, account in accounts.items():
        print_account(name, account)
    return int(any(account.failures for account in accounts.values()))


if __name__ == "__main__":
    sys.exit(main())
