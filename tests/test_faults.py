"""Every fault that the program must withstand has a test with its id in the name."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TABLE = TESTS.parents[1] / "shared" / "reference" / "faults.md"
MOST = {"C": 9, "N": 20, "I": 15, "P": 10, "V": 7, "R": 7, "W": 8, "T": 9, "X": 16}
KNOWN = {f"{letter}{number:02}" for letter, most in MOST.items() for number in range(1, most + 1)}
# Not implemented yet: a decoder that crashes its process.
LATER = {"I15"}


def faults(name: str) -> list[str]:
    """Return the fault ids in the name of a test.

    >>> faults("test_N02_N09_one_byte_a_second"), faults("test_I_am_no_id")
    (['N02', 'N09'], [])
    """
    return re.findall(r"(?<=_)[A-Z]\d\d(?=_|$)", name)


@pytest.fixture(scope="module")
def tests() -> dict[str, list[str]]:
    """Return all tests below this folder by the ids in their names."""
    found = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                for fault in faults(node.name):
                    found[fault].append(f"{path.relative_to(TESTS)}::{node.name}")
    return found


def test_every_fault_has_a_test(tests):
    """Every fault id has a test."""
    assert sorted(KNOWN - LATER - tests.keys()) == []


def test_no_test_carries_an_unknown_id(tests):
    """No test has the id of an unknown fault."""
    assert {fault: names for fault, names in tests.items() if fault not in KNOWN} == {}


@pytest.mark.skipif(not TABLE.exists(), reason="the table of faults is not here")
def test_the_ids_are_those_of_the_table():
    """The ids are exactly those of the table of faults."""
    assert set(re.findall(r"^\| ([A-Z]\d\d) \|", TABLE.read_text("utf-8"), re.MULTILINE)) == KNOWN
