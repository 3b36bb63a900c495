"""Import objects of the user, `module:object`, from the current directory or the folder of the data."""

from __future__ import annotations

import importlib
import sys
import traceback
from contextlib import contextmanager
from functools import reduce
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harvest
from harvest.errors import HarvestError, UsageError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import Iterator


_PACKAGE = str(Path(harvest.__file__).parent)


def load_object(name: str, *, data: Path | None = None) -> Any:
    """Import `module:object`; the module can be in the current directory or next to the folder of the `data`.

    >>> load_object("math:floor")(2.5)
    2
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path) or module_name.startswith("."):
        raise UsageError(f"{name!r} is not of the form module:object.", "For example: my_metrics:top_two.")
    folders = list(dict.fromkeys((Path.cwd(), *([data.absolute().parent] if data else []))))
    with _importing(*folders):
        try:
            module = importlib.import_module(module_name)
        except (ImportError, SyntaxError) as error:
            raise UsageError(
                f"{name}: {error}",
                f"{module_name}.py has to be in {folders[0]}"
                + (f" or in {folders[1]}, next to the data." if folders[1:] else "."),
            ) from error
        except Exception as error:  # the user's code can raise anything
            raise UserCodeError(f"{name}: {module_name} {describe_failure(error)}") from error
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise UsageError(f"{name}: {module_name} has no {path}.") from None


@contextmanager
def own_code(what: str, hint: str = "") -> Iterator[None]:
    """Turn any error of the user's code into UserCodeError, with its traceback but without our frames.

    Running out of memory is not changed: it has an error of its own.
    """
    torch = sys.modules.get("torch")  # None if torch is not imported
    try:
        yield
    except (HarvestError, MemoryError, getattr(torch, "OutOfMemoryError", MemoryError)):
        raise
    except (Exception, SystemExit) as error:  # the user's code can raise anything
        raise UserCodeError(f"{what} {describe_failure(error)}", hint) from error


def describe_failure(error: BaseException) -> str:
    """Return a description of an error in the user's code: where, what, and its traceback.

    >>> describe_failure(ValueError("no such thing"))
    'failed: ValueError: no such thing'
    """
    failure = traceback.TracebackException.from_exception(error)
    lines = list(dropwhile(_is_ours, failure.stack))
    place = f" at {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
    message = "".join(failure.format_exception_only()).strip()
    trace = "".join(traceback.format_list(lines)).rstrip()
    return f"failed{place}: {message}" + (f"\n{trace}" if trace else "")


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Return whether a frame is of this package or of importlib, and not of the user's code."""
    return frame.filename.startswith((_PACKAGE, "<frozen importlib", str(importlib.__file__)))


@contextmanager
def _importing(*folders: Path) -> Iterator[None]:
    """Import modules from more folders within the block; they come last, so that they hide no other module."""
    before = list(sys.path)
    sys.path += [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before
