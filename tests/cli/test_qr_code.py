"""The QR code of the link of a review."""

from __future__ import annotations

import io
import sys

import pytest

from harvest.cli.qr_code import draw_qr_code, print_qr_code

LINK = f"http://192.168.1.23:8765/?token={'Ab_-9' * 8}xyz"
FINDER = ["#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"]


def read_modules(lines: list[str]) -> list[str]:
    """Return the rows of modules of a drawn code, without its border."""
    halves = {" ": "..", "▀": "#.", "▄": ".#", "█": "##"}
    rows = [["".join(halves[character][half] for character in line) for half in (0, 1)] for line in lines]
    flat = [row for pair in rows for row in pair]
    return [row[2:-2] for row in flat[2 : len(lines[0]) - 2]]


def test_the_drawn_code_has_the_structure_of_a_qr_code() -> None:
    """The code is a square of a valid size with three finder patterns, timing patterns and a light border."""
    lines = draw_qr_code(LINK)
    modules = read_modules(lines)
    side = len(modules)
    assert (side - 17) % 4 == 0
    assert {len(row) for row in modules} == {side}
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0)):
        assert [row[left : left + 7] for row in modules[top : top + 7]] == FINDER
    assert modules[6][6 : side - 6] == ("#." * side)[: side - 12]
    assert set(lines[0]) == {" "}
    assert all(line.startswith("  ") and line.endswith("  ") for line in lines)


def test_the_drawn_code_is_that_of_the_link() -> None:
    """A reader decodes the drawn code to the link."""
    cv2 = pytest.importorskip("cv2")
    import numpy as np  # noqa: PLC0415 - only with a reader

    modules = np.array([[255 * (cell == ".") for cell in row] for row in read_modules(draw_qr_code(LINK))], np.uint8)
    image = np.kron(np.pad(modules, 4, constant_values=255), np.ones((8, 8), np.uint8))
    assert cv2.QRCodeDetector().detectAndDecode(image)[0] == LINK


def test_a_pipe_gets_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a terminal that has the characters gets the code."""
    for is_terminal, encoding, is_printed in ((False, "utf-8", False), (True, "ascii", False), (True, "utf-8", True)):
        out = io.TextIOWrapper(io.BytesIO(), encoding)
        monkeypatch.setattr(out, "isatty", lambda is_terminal=is_terminal: is_terminal, raising=False)
        monkeypatch.setattr(sys, "stdout", out)
        print_qr_code(LINK)
        out.flush()
        assert bool(out.buffer.getvalue()) is is_printed
