"""Objects of the person's own: `module:object`, found beside the data or where the command runs."""

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
    """Import `module:object`; the module may lie in the current directory, or beside the folder given.

    >>> load_object("math:floor")(2.5)
    2
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path) or module_name.startswith("."):
        raise UsageError(f"{name!r} names no object.", "Write module:object, as in my_metrics:top_two.")
    folders = list(dict.fromkeys((Path.cwd(), *([beside.absolute().parent] if beside else []))))
    with _importing(*folders):
        try:
            module = importlib.import_module(module_name)
        except (ImportError, SyntaxError) as error:
            raise UsageError(
                f"{name}: {error}",
                f"{module_name}.py is looked for in {folders[0]}"
                + (f" and in {folders[1]}, beside the data." if folders[1:] else "."),
            ) from error
        except Exception as error:  # whatever a person's own lines raise is theirs, and named
            raise UserCodeError(f"{name}: {module_name} {describe_failure(error)}") from error
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise UsageError(f"{name}: {module_name} has no {path}.") from None


@contextmanager
def own_code(what: str, hint: str = "") -> Iterator[None]:
    """Turn what a person's own code raises within the block into an error with its trace, without ours.

    Running out of memory is left alone: it has an error of its own.
    """
    torch = sys.modules.get("torch")  # which may not be there
    try:
        yield
    except (HarvestError, MemoryError, getattr(torch, "OutOfMemoryError", MemoryError)):
        raise
    except Exception as error:  # whatever a person's own lines raise is theirs, and named
        raise UserCodeError(f"{what} {describe_failure(error)}", hint) from error


def describe_failure(error: Exception) -> str:
    """Say what code of the person's own raised, and by which lines of it.

    >>> describe_failure(ValueError("no such thing"))
    'failed: ValueError: no such thing'
    """
    told = traceback.TracebackException.from_exception(error)
    lines = list(dropwhile(_is_ours, told.stack))
    place = f" at {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
    said = "".join(told.format_exception_only()).strip()
    trace = "".join(traceback.format_list(lines)).rstrip()
    return f"failed{place}: {said}" + (f"\n{trace}" if trace else "")


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Return whether a frame is of this package, or of the import of a module: above the user's code."""
    return frame.filename.startswith((_PACKAGE, "<frozen importlib", str(importlib.__file__)))


@contextmanager
def _importing(*folders: Path) -> Iterator[None]:
    """Let modules be imported from more folders, for a while: last of all, so that none hides another."""
    before = list(sys.path)
    sys.path += [str(folder) for folder in folders]
    try:
        yield
    finally:
        sys.path[:] = before


@dataclass(frozen=True, slots=True)
class Transform:
    """Somebody's `random_transform(x, seed=None)`, as Keras and others have it: rows × columns × channels."""

    name: str
    code: str  # a digest of its module: another one makes other views
    object: Any = field(repr=False)

    def __call__(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return what it makes of a picture, fit for the network."""
        with own_code(f"--transform {self.name}", "It takes (x, seed=None): rows × columns × 3, as bytes."):
            made = np.asarray(self.object.random_transform(np.array(image), seed=rng.randrange(1 << 32)))
        if made.shape[2:] != (3,) or not made.size:
            raise UsageError(f"--transform {self.name} made an array of {made.shape}, not of rows × columns × 3.")
        if made.dtype.kind not in "biuf":
            raise UsageError(f"--transform {self.name} made an array of {made.dtype}, not of numbers.")
        levels = np.nan_to_num(made.astype(np.float32)).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(levels)
        return picture if picture.size == (size, size) else picture.resize((size, size))


@dataclass(frozen=True, slots=True)
class Transformed:
    """Views by a transform of the person's own, after ours or of the picture as it is."""

    transform: Transform
    ours: ViewMaker | None

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of a picture, as a square of `size`."""
        seen = self.ours.view(image, size, rng) if self.ours else image_array.centre_crop(image, size)
        return self.transform(seen, size, rng)


def load_transform(name: str, *, beside: Path | None = None) -> Transform:
    """Import a transform, or make one where the name is a class's."""
    found = load_object(name, beside=beside)
    if isinstance(found, type):
        with own_code(f"--transform {name}", "A class is made without arguments."):
            found = found()
    if not callable(getattr(found, "random_transform", None)):
        raise UsageError(f"--transform {name} has no random_transform(x, seed=None).")
    source = inspect.getsourcefile(type(found)) if type(found).__module__ != "builtins" else None
    code = Path(source).read_bytes() if source else b""
    return Transform(name, hashlib.sha256(code).hexdigest()[:16], found)
