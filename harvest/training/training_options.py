"""What a training is asked to do, checked before anything is read."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from harvest.errors import TrainingError, UsageError
from harvest.training.read_files import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Rates = tuple[float, float] | Literal["find"] | None

EPOCHS = 4
EPOCHS_FROM_SCRATCH = 20
EXPORTS = ("onnx", "pt2")
LOGS = ("csv", "tensorboard")
SMALLEST, LARGEST = 16, 2048  # pixels a side
LAST_SEED = (1 << 32) - 1  # as numpy has it
LONGEST = 4096  # characters of a text in options.json: the longest path of Linux

# What is said anew with each command, and never taken from a run's directory: where it reads and writes.
_NOW = frozenset({"tree", "out", "resume", "cpu", "cache"})

# The least and the most of what is counted: more is a typing error, or a run directory made to hang us.
_COUNTS = {
    "batch": (1, 1 << 16),
    "n_augmentation": (1, 1000),
    "save_every": (1, 1_000_000),
    "keep": (0, 1_000_000),
    "epochs": (0, 1_000_000),
    "patience": (1, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Everything on the command line; `tree` alone is needed."""

    tree: Path
    model: str = ""  # the default depends on `from_scratch`
    out: Path | None = None
    size: int | None = None  # None: what the network was trained at
    epochs: int | None = None
    lr: Rates = None
    batch: int = 32
    valid: int = 20
    test: int = 10
    seed: int = 42
    monitor: str = "accuracy"
    patience: int | None = None
    min_delta: float = 0.0
    augment: bool = True
    flip_left_right: bool = True
    random_crop: int | None = None
    random_scale: int | None = None
    random_brightness: int | None = None
    n_augmentation: int = 1
    transform: str | None = None
    callbacks: tuple[str, ...] = ()
    metric: str | None = None
    cost_matrix: Path | None = None
    two_stage: bool = False
    resume: bool = False
    save_every: int = 1
    keep: int = 0
    export: tuple[str, ...] = ()
    log: tuple[str, ...] = field(default=("csv",))
    cpu: bool = False
    cache: Path | None = None
    from_scratch: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, in the words of the command line."""
        if not 0 < self.valid < 100 or not 0 <= self.test < 100 or self.valid + self.test >= 100:  # noqa: PLR2004
            raise UsageError(
                f"--valid {self.valid} and --test {self.test} leave no picture to train on.",
                "They are percentages: --valid 20 --test 10.",
            )
        for name, (least, most) in _COUNTS.items():
            if (value := getattr(self, name)) is not None:
                _check_count(name, value, least, most)
        if not 0 <= self.min_delta < math.inf:
            raise UsageError(f"--min-delta {self.min_delta}: a number, 0 or more.")
        if not 0 <= self.seed <= LAST_SEED:
            raise UsageError(f"--seed {self.seed}: from 0 to {LAST_SEED:,}.")
        _check_percentages(self)
        if self.size is not None and not SMALLEST <= self.size <= LARGEST:
            raise UsageError(f"--size {self.size}: pictures go in at {SMALLEST} to {LARGEST} pixels a side.")
        if isinstance(self.lr, tuple) and not 0 < self.lr[0] <= self.lr[1] < 10:  # noqa: PLR2004
            raise UsageError(
                f"--lr {self.lr[0]:g} {self.lr[1]:g}: the rate of the first layer, then that of the last.",
                "For example: --lr 1e-5 1e-4. Or --lr find.",
            )
        _check_choice("export", self.export, EXPORTS)
        _check_choice("log", self.log, LOGS)
        if self.monitor == "custom" and not self.metric:
            raise UsageError("--monitor custom needs --metric module:function.")

    @property
    def source(self) -> str:
        """Where the network comes from."""
        return self.model or ("small" if self.from_scratch else "resnet34")

    @property
    def rounds(self) -> int:
        """How often every picture is seen."""
        return self.epochs if self.epochs is not None else EPOCHS_FROM_SCRATCH if self.from_scratch else EPOCHS

    @property
    def runs(self) -> Path:
        """The folder beside the tree that holds its runs; never inside, where a folder would be a class."""
        tree = Path(self.tree).absolute()
        tree = tree.resolve() if ".." in tree.parts else tree  # a name of its own, to stand beside
        if not tree.name:
            raise UsageError(f"{tree} has nothing beside it, where its runs could be.", "Name a folder in it.")
        return tree.with_name(f"{tree.name}.runs")

    @property
    def store(self) -> Path:
        """Where features are kept between runs."""
        return self.cache or self.runs / "cache"

    def unlike(self, begun: TrainingOptions) -> list[str]:
        """Name what was asked for and is not how another training was begun; defaults ask for nothing."""
        usual = TrainingOptions(self.tree)
        names = [each.name for each in fields(self) if each.name not in _NOW]
        return [
            _option(name) for name in names if getattr(self, name) not in (getattr(usual, name), getattr(begun, name))
        ]

    def as_json(self) -> dict[str, Any]:
        """Return what a run writes down of how it was asked for."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Take up what a run wrote down; TypeError or ValueError where it is not that."""
        if not isinstance(document, dict) or not isinstance(document.get("tree"), str):
            raise TypeError("no options")
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in document.items() if name in known}
        _check_kinds(values)
        for name in ("tree", "out", "cost_matrix", "cache"):
            values[name] = Path(values[name]) if values.get(name) is not None else None
        for name in ("callbacks", "export", "log", "lr"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        return cls(**values)

    @classmethod
    def of_run(cls, folder: Path) -> Self:
        """Read how a run was asked for."""
        path = folder / "options.json"
        try:
            return cls.from_json(json.loads(read_text(path)))
        except (OSError, ValueError, TypeError, RecursionError, UsageError) as error:
            raise TrainingError(
                f"{path} does not tell how this run was begun: {error}", "Begin a new one, without --resume."
            ) from None


def _check_kinds(values: Mapping[str, Any]) -> None:
    """Refuse what no command line could have brought: a text for a number, a number for a name."""
    for name, value in values.items():
        is_kind, may_be_none = _KINDS[name]
        if not (is_kind(value) or (may_be_none and value is None)):
            raise TypeError(f"{name} cannot be {value!r:.60}")


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def _is_flag(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    """Return whether a value can be a name or a path: the system must be able to encode it."""
    if not isinstance(value, str) or "\0" in value or len(value) > LONGEST:
        return False
    try:
        os.fsencode(value)
    except ValueError:
        return False
    return True


def _is_code(value: object) -> bool:
    """Return whether a value can name code: it is printed, so nothing in it may look like another line."""
    return isinstance(value, str) and len(value) <= LONGEST and value.isprintable()


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_code, value))


def _is_rate(value: object) -> bool:
    return value == "find" or (isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)))  # noqa: PLR2004


# What each option may be in options.json, and whether it may be null.
_KINDS: dict[str, tuple[Callable[[object], bool], bool]] = {
    **dict.fromkeys(("batch", "valid", "test", "seed", "keep", "n_augmentation", "save_every"), (_is_integer, False)),
    **dict.fromkeys(("size", "epochs", "patience"), (_is_integer, True)),
    **dict.fromkeys(("random_crop", "random_scale", "random_brightness"), (_is_integer, True)),
    **dict.fromkeys(("augment", "flip_left_right", "two_stage", "resume", "cpu", "from_scratch"), (_is_flag, False)),
    **dict.fromkeys(("tree", "model"), (_is_text, False)),
    **dict.fromkeys(("out", "cost_matrix", "cache"), (_is_text, True)),
    **dict.fromkeys(("transform", "metric"), (_is_code, True)),
    "monitor": (_is_code, False),
    **dict.fromkeys(("callbacks", "export", "log"), (_are_names, False)),
    "min_delta": (_is_number, False),
    "lr": (_is_rate, True),
}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _check_percentages(options: TrainingOptions) -> None:
    for name in ("random_crop", "random_scale", "random_brightness"):
        percent = getattr(options, name)
        if percent is not None and not 0 <= percent < 100:  # noqa: PLR2004
            raise UsageError(f"{_option(name)} {percent}: a percentage from 0 to 99.")


def _check_count(name: str, value: int, least: int, most: int) -> None:
    if value < least:
        raise UsageError(f"{_option(name)} {value}: at least {least}.")
    if value > most:
        raise UsageError(f"{_option(name)} {value}: at most {most:,}.")


def _check_choice(name: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise UsageError(f"{_option(name)} {value}: one of {', '.join(known)}, or several by commas.")
