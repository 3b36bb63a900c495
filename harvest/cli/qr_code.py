"""Print a link as a QR code, so that the camera of a phone opens it."""

from __future__ import annotations

import sys

import segno

_BORDER = 2  # modules of light around the code; readers need some
_BLACK_ON_WHITE = "\x1b[30;47m"  # also in a dark terminal: many readers do not see inverted codes
_RESET = "\x1b[0m"
_HALVES = {(False, False): " ", (True, False): "▀", (False, True): "▄", (True, True): "█"}


def print_qr_code(link: str) -> None:
    """Print a link as a QR code, if the output is a terminal that can show it."""
    if not sys.stdout.isatty():
        return
    try:
        "▀▄█".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return
    for line in draw_qr_code(link):
        print(f"{_BLACK_ON_WHITE}{line}{_RESET}")


def draw_qr_code(link: str) -> list[str]:
    """Return the lines of a QR code: each character is one module wide and two high."""
    code = segno.make(link, error="l", micro=False)
    rows = [[bool(module) for module in row] for row in code.matrix_iter(border=_BORDER)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    return ["".join(_HALVES[pair] for pair in zip(*rows[at : at + 2], strict=True)) for at in range(0, len(rows), 2)]
