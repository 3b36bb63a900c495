"""train.py as a program: in one process, in two, killed, and without its libraries."""

from __future__ import annotations

import csv
import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from harvest.cli.train import resume_hint
from harvest.errors import CannotWrite, HarvestError, TrainingError
from harvest.training import run_directory
from harvest.training.torchrun_error_file import message_for_torchrun
from harvest.training.training_options import TrainingOptions
from tests.command import Running, clean_environ
from tests.training.shapes import tree

PAGE = Path(__file__).parents[2] / "train.py"
PATIENCE = 600  # seconds, for what takes ten when the machine is quiet


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return tree(tmp_path_factory.mktemp("album") / "shapes", {"disc": 20, "square": 20})


@pytest.fixture
def begin(tmp_path_factory):
    """Return a function that starts train.py, which is killed when the test ends."""
    aside = tmp_path_factory.mktemp("aside")
    began = []

    def begin(*words, command=(), **environ):
        """Start it, forked from a process that has imported torch unless `command` needs a new interpreter."""
        line = [sys.executable, *command, str(PAGE), *map(str, words)]
        environ = {**clean_environ(), "HOME": str(aside), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", **environ}
        began.append(Running(line, PAGE.parent, environ, aside, fork=not command))
        return began[-1]

    yield begin
    for running in began:
        if running.process.poll() is None:
            running.kill()
        running.process.wait()


def end(running):
    ran = running.wait(PATIENCE)
    return ran.code, ran.out, ran.err


def until(condition, running):
    """Wait for something to happen while the training runs."""
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert running.process.poll() is None, running.messages
        assert time.monotonic() < limit
        time.sleep(0.02)


def small(out, *more):
    return ("--from-scratch", "--size", "32", "--batch", "8", "--cpu", "--out", out, *more)


def test_train_py_is_a_program(begin, shapes, tmp_path):
    """`python train.py TREE` trains, and prints the result as JSON and nothing else on stdout."""
    code, out, err = end(begin(shapes, *small(tmp_path / "run", "--epochs", "1", "--json")))
    assert code == 0, err
    assert json.loads(out)["run"] == str(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()


def test_two_processes_train_one_network(begin, shapes, tmp_path):
    """Two processes share one run and one table of epochs, and compute features once."""
    words = without_cpu(small(tmp_path / "run", "--epochs", "2"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"}
    began = [begin(shapes, *words, RANK=rank, LOCAL_RANK=rank, **group) for rank in "01"]  # as torchrun starts them
    (code, _, err), other = map(end, began)
    assert code == 0, err
    assert other == (0, "", "")
    check_two_processes(err, shapes, tmp_path / "run")


@pytest.mark.slow
def test_torchrun_starts_train_py(begin, shapes, tmp_path):
    """The documented command with torchrun trains with two processes, each in a new interpreter."""
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d")
    torchrun += ("--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1")
    words = without_cpu(small(tmp_path / "run", "--epochs", "2"))
    code, _, err = end(begin(shapes, *words, command=torchrun, GLOO_SOCKET_IFNAME="lo"))
    assert code == 0, err
    check_two_processes(err, shapes, tmp_path / "run")


def test_torchrun_shows_the_message_of_the_training(tmp_path, monkeypatch):
    """Torchrun's own report of a failed process ends with our message and hint instead of a link to a manual."""
    path = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(path))
    with pytest.raises(TrainingError), message_for_torchrun():
        raise TrainingError("the validation set is empty.", "Add different images.")

    failed = ProcessFailure(local_rank=0, pid=1, exitcode=1, error_file=str(path))
    other = ProcessFailure(local_rank=1, pid=2, exitcode=1, error_file=str(tmp_path / "none"))

    shown = str(ChildFailedError("train.py", {1: other, 0: failed}))
    assert "traceback : the validation set is empty.\n  Add different images." in shown.partition("Root Cause")[2]


def test_without_torchrun_no_error_file_is_written(tmp_path, monkeypatch):
    """Without torchrun, or if its file cannot be written, the error passes as it is."""
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    for path in ("", str(tmp_path / "missing" / "error.json")):
        if path:
            monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", path)
        with pytest.raises(TrainingError, match="empty"), message_for_torchrun():
            raise TrainingError("empty.")
    assert not list(tmp_path.iterdir())


def without_cpu(words):
    """Leave out --cpu, as docs/training.md does."""
    return [word for word in words if word != "--cpu"]


def check_two_processes(err, shapes, run):
    assert err.count("folders → splits") == 1
    assert "× 2 processes = 16" in err
    with (run / "history.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3
    assert len(list((shapes.with_name("shapes.runs") / "cache").glob("features-*"))) >= 1


def test_T06_killed_it_can_be_resumed(begin, shapes, tmp_path):
    """A run killed after its first checkpoint is completed by `--resume`."""
    run = tmp_path / "run"
    process = begin(shapes, *small(run, "--epochs", "40"))
    until(lambda: list(run.glob("checkpoints/*/checkpoint-*/trainer_state.json")), process)
    process.kill()
    end(process)
    options = json.loads((run / "options.json").read_text("utf-8")) | {"epochs": 3}
    (run / "options.json").write_text(json.dumps(options), "utf-8")  # forty epochs would take too long

    code, _, err = end(begin(shapes, "--resume", "--out", run, "--cpu"))

    assert code == 0, err
    assert f"resuming {run}" in err
    assert not (run / "checkpoints").exists()


def test_ctrl_c_saves_the_best_and_prints_how_to_resume(begin, shapes, tmp_path):
    """Ctrl-C exits with 130, writes the report of the best epoch, and prints how to resume."""
    run = tmp_path / "run"
    process = begin(shapes, *small(run, "--epochs", "40"))
    history = run / "history.csv"
    until(lambda: history.exists() and history.read_text("utf-8").count("\n") >= 3, process)
    process.interrupt()
    code, out, err = end(process)
    assert code == 130, err
    assert "the best epoch so far is saved" in err
    assert "--resume" in err
    assert "Traceback" not in err
    assert (run / "report.html").exists()
    assert str(run) in out


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), CannotWrite("no room", "The same line again.")])
def test_an_interrupted_run_prints_how_to_resume(shapes, tmp_path, problem):
    """An error names the command with `--resume` if there is a run to resume."""
    if left := run_directory.current_run():
        run_directory.unlock_run(left)
    options = TrainingOptions(shapes, out=tmp_path / "my run")
    with pytest.raises(HarvestError) as early, resume_hint(options):
        raise problem
    run_directory.create_directory(options.out, options)
    with pytest.raises(HarvestError) as late, resume_hint(options):
        raise problem
    run_directory.unlock_run(options.out)
    assert "--resume" not in early.value.hint
    assert "To continue: harvest train " in late.value.hint
    assert f"--resume --out '{options.out}'" in late.value.hint
    assert early.value.exit_code == late.value.exit_code in {6, 130}


@pytest.mark.parametrize("resume", [False, True])
def test_a_usage_error_deletes_only_a_new_run(shapes, tmp_path, resume):
    """A new run with invalid options is deleted; the checkpoints of a resumed one are kept."""
    options = TrainingOptions(shapes, out=tmp_path / "run", resume=resume)
    run = run_directory.create_directory(tmp_path / "run", options)
    checkpoint = run.checkpoints / "unfrozen" / "checkpoint-9"
    checkpoint.mkdir(parents=True)
    with pytest.raises(TrainingError), resume_hint(options):
        raise TrainingError("other classes")
    assert checkpoint.is_dir() == resume
    assert run.path.is_dir() == resume
    run_directory.unlock_run(run.path)


def test_without_its_libraries_train_py_says_what_to_install(begin, tmp_path):
    """Without the extra, train.py exits with a message before it imports what is missing."""
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules.update(torch=None, sklearn=None)")
    code, _, err = end(begin("nowhere", PYTHONPATH=str(tmp_path)))
    assert code == 2
    assert "pip install -e '.[train]'" in err
    assert "Traceback" not in err


def test_a_missing_folder_is_reported_before_pytorch_is_loaded(tmp_path):
    """`harvest train` with a wrong path answers at once."""
    words = [sys.executable, "-X", "importtime", "-m", "harvest", "train", "nowhere"]
    ran = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env=clean_environ(), check=False)
    assert "error: nowhere cannot be read: No such file or directory." in ran.stderr
    assert ran.returncode != 0
    assert not re.search(r"\| +(torch|transformers|sklearn)$", ran.stderr, re.MULTILINE)


def test_ignored_options_are_named(shapes, tmp_path):
    """A resumed run keeps its original options; other options on the command line are named."""
    begun = TrainingOptions(shapes, epochs=2, batch=8)
    assert TrainingOptions(shapes, resume=True, out=tmp_path, epochs=2, cpu=True).unlike(begun) == []
    assert TrainingOptions(shapes, epochs=6, export=("onnx",)).unlike(begun) == ["--epochs", "--export"]


def test_only_the_process_that_failed_prints_an_error(shapes, monkeypatch):
    """A process that only lost another one prints nothing; the first prints how to resume."""
    lost = RuntimeError("[gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]:56486.")
    with pytest.raises(RuntimeError), resume_hint(TrainingOptions(shapes)):
        raise lost  # in a single process it is a bug
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(typer.Exit), resume_hint(TrainingOptions(shapes)):
        raise lost
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(HarvestError, match="another process"), resume_hint(TrainingOptions(shapes)):
        raise lost


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["nowhere"], "nowhere"),
        (["--lr", "fast"], "--lr fast is neither two numbers nor the word find"),
        (["--lr", "1e-5", "nowhere"], "nowhere"),
        (["--batch", "0"], "batch"),
        (["--monitor", "acuracy"], "Did you mean accuracy?"),
        (["--model", "owner/not-there"], "cannot fetch config.json of owner/not-there"),
    ],
)
def test_usage_errors_exit_with_2(begin, shapes, tmp_path, words, messages):
    """Usage errors exit with 2 and a message, before anything is written into the tree."""
    line = words if words[-1] == "nowhere" else [shapes, *words]
    code, _, err = end(begin(*line, "--cpu", "--out", tmp_path / "run"))
    assert code == 2, err
    assert messages in err
    assert "Traceback" not in err
    assert {path.name for path in shapes.iterdir()} == {"disc", "square"}
    assert not (tmp_path / "run").exists()
