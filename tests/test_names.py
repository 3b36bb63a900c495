"""Folder names and CSV cells from any text."""

import csv
import io
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvest.files.check_names_and_cells import (
    check_component,
    escape_formula,
    fold_name,
)

ANY = st.text() | st.text(alphabet="./\\:ab\0 -~\u202e\u0301COMcon1\u00b9", max_size=12)

PATH_TRICKS = ["../x", "..", ".", "/etc", "a/b", "C:\\x", "\\\\host\\share", "a\0b", "", "c:", "~/../x"]
NOT_PORTABLE = [
    *("con", "CON", "aux.txt", "COM¹", "lpt9.tar.gz", "nul .txt", "CONIN$"),
    *("cat.", "cat ", " cat", ".cat", "-cat"),
    *("a:b", "a*b", "a?b", 'a"b', "a<b", "a>b", "a|b"),
    *("a\tb", "a\nb", "a\x7fb", "a\u202eb", "a\u200bb", "a\u00a0b", "a\ud800b", "a\ufffeb"),
    *("x" * 256, "é" * 128, "蛇" * 86),
    *("shard-000000.tar", "Shard-1.tar.part"),
]


@pytest.mark.parametrize("text", PATH_TRICKS)
def test_C05_path_tricks_are_refused(text):
    """A text that names a path other than one folder below the root is refused."""
    with pytest.raises(ValueError, match="it "):
        check_component(text)


@given(ANY)
@example("..")
@example("a/../..")
@example("\u037e")
def test_C05_a_name_is_one_folder_below_the_root(text):
    """Any text is refused, or is the name of a direct child of the root that needs no further change."""
    try:
        name = check_component(text)
    except ValueError:
        return
    root = Path("/dataset")
    assert (root / name).parent == root
    assert Path(name).name == name
    assert check_component(name) == name
    assert len(name.encode()) <= 255


@pytest.mark.parametrize("text", NOT_PORTABLE)
def test_C06_a_name_that_some_system_refuses_is_refused_on_all(text):
    """Devices, trailing dots, control and bidi characters and names that are too long are refused."""
    with pytest.raises(ValueError, match=r"."):
        check_component(text)


@pytest.mark.parametrize(
    "text", ["con_snake", "com10", "cat.v2", "king snake", "x" * 255, "蛇" * 85, "Ünï-çødé", "@=+"]
)
def test_C06_ordinary_names_pass_unchanged(text):
    """A name that every system accepts is returned as it is."""
    assert check_component(text) == text


def test_C06_the_reason_names_the_invisible_character():
    """An invisible character is named by its code point."""
    with pytest.raises(ValueError, match=r"U\+202E"):
        check_component("king\u202esnake")


def test_the_ledgers_own_name_is_no_class():
    """A class cannot have the name of the ledger next to it."""
    with pytest.raises(ValueError, match="dataset itself"):
        check_component("Harvest.db")


def test_a_name_is_composed():
    """An accent typed as two characters gives the same folder as one character."""
    assert check_component("cafe\u0301") == "caf\u00e9"


@given(st.text())
def test_C04_fold_is_blind_to_case_and_composition(text):
    """Spellings that differ in case or composition fold to the same name, and folding twice changes nothing."""
    folded = fold_name(text)
    assert fold_name(folded) == folded
    assert fold_name(unicodedata.normalize("NFC", text)) == fold_name(unicodedata.normalize("NFD", text)) == folded


def test_C04_fold_sees_cat_and_cat_as_one():
    """Cat and cat are one folder, cat and cats are two."""
    assert fold_name("Cat") == fold_name("cat") == fold_name("CAT")
    assert fold_name("cat") != fold_name("cats")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", '=HYPERLINK("x")'])
def test_C09_formula_cells_are_defused(text):
    """A cell that a spreadsheet would compute is text in our CSV, with one quote before it."""
    file = io.StringIO(newline="")
    csv.writer(file).writerow([escape_formula(text)])
    file.seek(0)
    assert next(csv.reader(file)) == [f"'{text}"]


@given(st.text())
def test_C09_no_cell_begins_a_formula(text):
    """Whatever the text, its cell is not a formula, and only a formula is changed."""
    safe = escape_formula(text)
    assert not safe.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe in {text, f"'{text}"}
