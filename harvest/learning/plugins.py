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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from harvest.errors import UsageError
from harvest.learning import pixels

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from harvest.learning.augment import Augmentation


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
            raise UsageError(f"{name}: {module_name} {failed(error)}") from error
    try:
        return reduce(getattr, path.split("."), module)
    except AttributeError:
        raise UsageError(f"{name}: {module_name} has no {path}.") from None


def failed(error: Exception) -> str:
    """Say what code of the person's own raised, and in which line of it.

    >>> failed(ValueError("no such thing"))
    'failed: ValueError: no such thing'
    """
    lines = traceback.extract_tb(error.__traceback__)
    place = f" at {lines[-1].filename}, line {lines[-1].lineno}" if lines else ""
    return f"failed{place}: {type(error).__name__}: {error}"


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
        try:
            made = np.asarray(self.object.random_transform(np.array(image), seed=rng.randrange(1 << 32)))
        except MemoryError:
            raise
        except Exception as error:  # whatever a person's own lines raise is theirs, and named
            raise UsageError(
                f"--transform {self.name} {failed(error)}",
                "It takes (x, seed=None): rows × columns × 3, as bytes.",
            ) from error
        if made.shape[2:] != (3,) or not made.size:
            raise UsageError(
                f"--transform {self.name} made an array of {made.shape}, not of rows × columns × 3."
            )
        if made.dtype.kind not in "biuf":
            raise UsageError(f"--transform {self.name} made an array of {made.dtype}, not of numbers.")
        levels = np.nan_to_num(made.astype(np.float32)).round().clip(0, 255).astype(np.uint8)
        picture = Image.fromarray(levels)
        return picture if picture.size == (size, size) else picture.resize((size, size))


@dataclass(frozen=True, slots=True)
class Transformed:
    """Views by a transform of the person's own, after ours or of the picture as it is."""

    transform: Transform
    ours: Augmentation | None

    def view(self, image: Image.Image, size: int, rng: random.Random) -> Image.Image:
        """Return one view of a picture, as a square of `size`."""
        seen = self.ours.view(image, size, rng) if self.ours else pixels.crop(image, size)
        return self.transform(seen, size, rng)


def load_transform(name: str, *, beside: Path | None = None) -> Transform:
    """Import a transform, or make one where the name is a class's."""
    found = load_object(name, beside=beside)
    if isinstance(found, type):
        try:
            found = found()
        except Exception as error:  # as above
            raise UsageError(
                f"--transform {name} {failed(error)}", "A class is made without arguments."
            ) from error
    if not callable(getattr(found, "random_transform", None)):
        raise UsageError(f"--transform {name} has no random_transform(x, seed=None).")
    source = inspect.getsourcefile(type(found)) if type(found).__module__ != "builtins" else None
    code = Path(source).read_bytes() if source else b""
    return Transform(name, hashlib.sha256(code).hexdigest()[:16], found)
