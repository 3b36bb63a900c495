"""The Dockerfile by the rules of hadolint that apply, and its commands as far as there is no Docker here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


class Instruction(NamedTuple):
    """One instruction of the Dockerfile, in its stage."""

    stage: str
    name: str
    text: str


def read_instructions() -> list[Instruction]:
    """Return the instructions, each on one line."""
    lines = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()
    found, stage = [], ""
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, _, text = line.partition(" ")
        if name == "FROM":
            stage = text.rpartition(" AS ")[2]
        found.append(Instruction(stage, name, " ".join(text.split())))
    return found


@pytest.fixture
def instructions() -> list[Instruction]:
    return read_instructions()


def of(instructions: list[Instruction], name: str) -> list[str]:
    """Return the texts of the instructions of one name."""
    return [each.text for each in instructions if each.name == name]


def test_every_base_has_a_version_and_every_stage_a_name(instructions):
    """DL3006 and DL3007: no base without a tag, none of `latest`; a stage is named before it is used."""
    named: set[str] = set()
    for text in of(instructions, "FROM"):
        base, _, stage = text.partition(" AS ")
        assert stage
        assert base in named or re.fullmatch(r"[a-z]+:[\d.]+-slim", base), base
        named.add(stage)
    assert {text.split()[0].removeprefix("--from=") for text in of(instructions, "COPY") if "--from" in text} <= named


def test_no_image_runs_as_root(instructions):
    """DL3002: what is run in both final images belongs to a user, who is set in the stage that both begin with."""
    users = [each for each in instructions if each.name == "USER"]

    assert [(each.stage, each.text) for each in users] == [("runtime", "harvest")]
    assert [text for text in of(instructions, "FROM") if text.startswith("runtime AS")] == [
        "runtime AS train",
        "runtime AS harvest",
    ]


def test_the_last_stage_is_the_harvester(instructions):
    """`docker build .` without a target makes the small image, without PyTorch."""
    last = instructions[-1]

    assert (last.stage, last.text) == ("harvest", "--from=build-harvest /opt/harvest /opt/harvest")
    assert not any(
        "torch" in each.text for each in instructions if each.stage in {"build", "build-harvest", "runtime", "harvest"}
    )


def test_commands_are_lists_and_pip_keeps_no_cache(instructions):
    """DL3025, DL3042, DL3020, DL3000: no shell around the command, no cache in a layer, no ADD, absolute folders."""
    for text in (*of(instructions, "ENTRYPOINT"), *of(instructions, "CMD")):
        assert json.loads(text)
    assert all("--no-cache-dir" in text for text in of(instructions, "RUN") if " install" in text)
    assert not of(instructions, "ADD")
    assert all(text.startswith("/") for text in of(instructions, "WORKDIR"))
    assert not any(word in text for text in of(instructions, "RUN") for word in ("sudo", "apt ", "curl", "wget"))


def test_only_what_is_copied_is_sent_to_the_daemon(instructions):
    """Datasets, keys and the history next to the Dockerfile are not part of its context."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").split()
    copied = {name for text in of(instructions, "COPY") if "--from" not in text for name in text.split()[:-1]}

    assert lines[0] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_health_check_asks_the_server(instructions):
    """The health check of the image for `serve` is Python that ends with an error where no server answers."""
    check = json.loads(of(instructions, "HEALTHCHECK")[0].partition(" CMD ")[2])

    ran = subprocess.run([sys.executable, *check[1:]], capture_output=True, check=False, env={"no_proxy": "*"})

    assert check[0] == "python"
    assert ran.returncode == 1
    assert b"URLError" in ran.stderr


@pytest.mark.slow
@pytest.mark.skipif("HARVEST_BUILD" not in os.environ, reason="downloads packages: HARVEST_BUILD=1 pytest ...")
def test_the_harvester_installs_in_a_clean_environment(tmp_path, instructions):
    """The commands that build the harvester work on the copied files alone; the result has under 175 MB."""
    copied = [text.split() for text in of(instructions, "COPY") if "--from" not in text]
    for name in (name for words in copied for name in words[:-1]):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    place = tmp_path / "opt"
    packages = place / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"

    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    for stage, folder in (("build", tmp_path), ("build-harvest", packages)):
        command = next(each.text for each in instructions if (each.stage, each.name) == (stage, "RUN"))
        for name, own in (
            ("python -m venv", f"{sys.executable} -m venv"),
            ("&& pip --python", f"&& {sys.executable} -m pip --python"),
            ("/opt/harvest", str(place)),
            ("/tmp/demo", str(tmp_path / "demo")),
        ):
            command = command.replace(name, own)
        subprocess.run(command, shell=True, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=env)

    size = sum(path.lstat().st_size for path in place.rglob("*") if not path.is_symlink())
    assert size < 175 * 10**6, size
