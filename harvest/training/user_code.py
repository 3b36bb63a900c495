"""Import objects of the user, `module:object`, from the current directory or the folder of the data."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import harvest
from harvest.errors import HarvestError, UsageError, UserCodeError
from harvest.training import image_array

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from harvest.training.view_maker import ViewMaker

_PACKAGE = str(Path(harvest.__file__).parent)


def load_object(name: str, *, beside: Path | None = None) -> Any:
    """Import `module:object`; the module can be in the current directory or beside a given folder.

    >>> load_object("math:floor")(2.5)
    2
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path) or module_name.startswith("."):
        raise UsageError(f"{name!r} is not of the form module:object.", "For example: my_metrics:top_two.")
    folders = list(dict.fromkeys((Path.cwd(), *([beside.absolute().parent] if beside else []))))
    with _importing(*folders):
        try:
            module = importlib.import_module(module_name)
        except (ImportError, SyntaxError) as error:
            raise UsageError(
                f"{name}: {error}",
                f"{module_name}.py has to be in {folders[0]}"
                + (f" or in {folders[1]}, beside the data." if folders[1:] else "."),
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
    except Exception as error:  # the user's code can raise anything
        raise UserCodeError(f"{what} {describe_failure(error)}", hint) from error


def describe_failure(error: Exception) -> str:
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


@dataclass(frozen=True, slots=True)
class Transform:
    """A user's `random_transform(x, seed=None)`, as in Keras: x has rows × columns × channels."""

    name: str
    code: str  # digest of the source file: part of the key of the feature cache
    object: Any = field(repr=False)

    def __call__(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return the transformed image, as a square of `size`."""
        with own_code(f"--transform {self.name}", "It is called with (x, seed=None): x has rows × columns × 3 bytes."):
            made = np.asarray(self.object.random_transform(np.array(image), seed=rng.randrange(1 << 32)))
        if made.shape[2:] != (3,) or not made.size:
            raise UsageError(
                f"--transform {self.name} returned an array of shape {made.shape}, not rows × columns × 3."
            )
        if made.dtype.kind not in "biuf":
            raise UsageError(f"--transform {self.name} returned an array of {made.dtype}, not of numbers.")
        levels = np.nan_to_num(made.astype(np.float32)).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(levels)
        return picture if picture.size == (size, size) else picture.resize((size, size))


@dataclass(frozen=True, slots=True)
class Transformed:
    """Makes views with a transform of the user, after our augmentation if there is one."""

    transform: Transform
    ours: ViewMaker | None

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of an image, as a square of `size`."""
        view = self.ours.view(image, size, rng) if self.ours else image_array.centre_crop(image, size)
        return self.transform(view, size, rng)


def load_transform(name: str, *, beside: Path | None = None) -> Transform:
    """Import a transform; if it is a class, create an instance."""
    found = load_object(name, beside=beside)
    if isinstance(found, type):
        with own_code(f"--transform {name}", "The class is called without arguments."):
            found = found()
    if not callable(getattr(found, "random_transform", None)):
        raise UsageError(f"--transform {name} has no method random_transform(x, seed=None).")
    source = inspect.getsourcefile(type(found)) if type(found).__module__ != "builtins" else None
    code = Path(source).read_bytes() if source else b""
    return Transform(name, hashlib.sha256(code).hexdigest()[:16], found)
