"""The options of a training, declared once and checked before anything is read."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from harvest.errors import UsageError
from harvest.option_fields import Option, changed_fields, check_ranges

Rates = tuple[float, float] | Literal["find"] | None

EPOCHS = 4
EPOCHS_FROM_SCRATCH = 20
EXPORTS = ("onnx", "pt2")
SERVICES = ("wandb", "mlflow")  # logs that leave the machine
LOGS = ("csv", "tensorboard", *SERVICES)
CLASS_WEIGHTS = ("balanced", "none")
SMALLEST, LARGEST = 16, 2048  # pixels a side
LAST_SEED = (1 << 32) - 1  # as numpy has it

# Taken from each command line and never from a run directory: what the program reads and writes.
_NOW = frozenset({"tree", "out", "resume", "cpu", "cache"})
_MANY = 1_000_000  # epochs: more is a typing error, or a run directory made to hang the program


def parse_rates(text: str) -> Rates:
    """Return the value of `--lr`: the word find, or one or two numbers.

    >>> parse_rates("1e-5 1e-4")
    (1e-05, 0.0001)
    """
    words = text.replace(",", " ").split()
    if not words:
        return None
    if words == ["find"]:
        return "find"
    try:
        first, last = map(float, words * 2 if len(words) == 1 else words)
    except ValueError:
        raise UsageError(
            f"--lr {text} is neither two numbers nor the word find.", "For example: --lr 1e-5 1e-4"
        ) from None
    return first, last


def parse_list(text: str) -> tuple[str, ...]:
    """Return the words of a list with commas, each one once.

    >>> parse_list("onnx, pt2,onnx")
    ('onnx', 'pt2')
    """
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """The options of a training, declared once; `tree` alone is required."""

    tree: Path
    model: Annotated[
        str,  # the default depends on `from_scratch`
        Option(
            "--model",
            metavar="NAME",
            help="lite0, resnet18, resnet34, mobilenet, dinov2, a hub id, a directory or an earlier run.  "
            "[default: lite0]",
        ),
    ] = ""
    out: Annotated[
        Path | None, Option("--out", metavar="FOLDER", help="Output directory.  [default: TREE.runs/<time>]")
    ] = None
    epochs: Annotated[
        int | None,
        Option(
            "--epochs",
            min=0,
            sanity_max=_MANY,
            metavar="N",
            help="Number of epochs; 0 trains the head only.  [default: 4; 20 from scratch]",
        ),
    ] = None
    lr: Annotated[
        Rates,
        Option(
            "--lr",
            metavar="LO HI|find",
            parse=parse_rates,
            help="Learning rates of the first and last layer; find searches for them.",
        ),
    ] = None
    size: Annotated[  # None: what the network was trained at
        int | None,
        Option("--size", min=SMALLEST, max=LARGEST, metavar="PX", help="Input size of the network in pixels."),
    ] = None
    batch: Annotated[int, Option("--batch", min=1, sanity_max=1 << 16, metavar="N", help="Batch size in images.")] = 32
    valid: Annotated[int, Option("--valid", min=1, max=99, metavar="%", help="Validation share in percent.")] = 20
    test: Annotated[int, Option("--test", min=0, max=98, metavar="%", help="Test share in percent.")] = 10
    seed: Annotated[int, Option("--seed", min=0, sanity_max=LAST_SEED, metavar="N", help="Random seed.")] = 42
    two_stage: Annotated[
        bool, Option("--two-stage", help="Train the head for N epochs, then the whole network for N.")
    ] = False
    from_scratch: Annotated[
        bool, Option("--from-scratch", help="Start from random weights; nothing is downloaded.")
    ] = False
    monitor: Annotated[
        str,
        Option("--monitor", metavar="METRIC", help="Metric that selects the best epoch, and stops with --patience."),
    ] = "accuracy"
    patience: Annotated[
        int | None,
        Option("--patience", min=1, sanity_max=_MANY, metavar="N", help="Stop after N epochs without improvement."),
    ] = None
    min_delta: Annotated[
        float,
        Option(
            "--min-delta",
            min=0,
            sanity_max=sys.float_info.max,
            metavar="X",
            help="Smallest change that counts as an improvement.",
        ),
    ] = 0.0
    metric: Annotated[
        str | None,
        Option("--metric", metavar="MODULE:FUNCTION", help="Function of your own metric, named custom."),
    ] = None
    cost_matrix: Annotated[
        Path | None,
        Option(
            "--cost-matrix",
            metavar="FILE",
            help="CSV file with the value of each prediction: high if right, low if wrong.",
        ),
    ] = None
    class_weights: Annotated[
        str,
        Option(
            "--class-weights",
            metavar="KIND",
            help="balanced: all classes count the same in the training; none: all images do.",
        ),
    ] = "balanced"
    augment: Annotated[
        bool, Option("--augment/--no-augment", help="Augment the training images anew in every epoch.")
    ] = True
    flip_left_right: Annotated[
        bool, Option("--flip-left-right/--no-flip-left-right", help="Mirror training images at random.")
    ] = True
    random_crop: Annotated[
        int | None,
        Option("--random-crop", min=0, max=99, metavar="%", help="Maximum share to cut away, in percent."),
    ] = None
    random_scale: Annotated[
        int | None, Option("--random-scale", min=0, max=99, metavar="%", help="Maximum enlargement in percent.")
    ] = None
    random_brightness: Annotated[
        int | None,
        Option("--random-brightness", min=0, max=99, metavar="%", help="Maximum change of brightness in percent."),
    ] = None
    n_augmentation: Annotated[
        int,
        Option(
            "--n-augmentation",
            min=1,
            sanity_max=1000,
            metavar="N",
            help="Augmented views per image in each batch.",
        ),
    ] = 1
    mixup: Annotated[
        float,
        Option(
            "--mixup",
            min=0,
            sanity_max=100,
            metavar="ALPHA",
            help="Blend training images in pairs, with shares from Beta(ALPHA, ALPHA); 0 is off.",
        ),
    ] = 0.0
    transform: Annotated[
        str | None,
        Option("--transform", metavar="MODULE:OBJECT", help="Object with a method random_transform(x, seed=None)."),
    ] = None
    callbacks: Annotated[
        tuple[str, ...],
        Option("--callback", metavar="MODULE:CLASS", help="TrainerCallback class; repeatable."),
    ] = ()
    resume: Annotated[bool, Option("--resume", help="Continue an interrupted run with its original options.")] = False
    save_every: Annotated[
        int, Option("--save-every", min=1, sanity_max=_MANY, metavar="N", help="Epochs between checkpoints.")
    ] = 1
    keep: Annotated[
        int,
        Option("--keep", min=0, sanity_max=_MANY, metavar="K", help="Number of checkpoints to keep after training."),
    ] = 0
    export: Annotated[
        tuple[str, ...],
        Option("--export", metavar="KINDS", parse=parse_list, help="Export formats: onnx, pt2 or onnx,pt2."),
    ] = ()
    log: Annotated[
        tuple[str, ...],
        Option("--log", metavar="KINDS", parse=parse_list, help="Logs, with commas: csv, tensorboard, wandb, mlflow."),
    ] = ("csv",)
    cpu: Annotated[bool, Option("--cpu", help="Use the CPU even where there is a GPU.")] = False
    cache: Annotated[
        Path | None,
        Option("--cache", metavar="FOLDER", help="Cache folder for image features.  [default: TREE.runs/cache]"),
    ] = None

    def __post_init__(self) -> None:
        """Check the ranges, and what a range cannot express."""
        check_ranges(self, name_flags=True)
        if self.valid + self.test >= 100:  # noqa: PLR2004
            raise UsageError(
                f"--valid {self.valid} and --test {self.test} leave no images for training.",
                "Both are in percent: --valid 20 --test 10.",
            )
        if isinstance(self.lr, tuple) and not 0 < self.lr[0] <= self.lr[1] < 10:  # noqa: PLR2004
            raise UsageError(
                f"--lr {self.lr[0]:g} {self.lr[1]:g}: expected two rates between 0 and 10, the lower one first.",
                "For example: --lr 1e-5 1e-4. Or --lr find.",
            )
        _check_choices("--export", self.export, EXPORTS)
        _check_choices("--log", self.log, LOGS)
        _check_choices("--class-weights", (self.class_weights,), CLASS_WEIGHTS)
        if self.monitor == "custom" and not self.metric:
            raise UsageError("--monitor custom needs --metric module:function.")

    @property
    def source(self) -> str:
        """The name, id or path of the network."""
        return self.model or ("small" if self.from_scratch else "lite0")

    @property
    def rounds(self) -> int:
        """The number of epochs, or its default."""
        return self.epochs if self.epochs is not None else EPOCHS_FROM_SCRATCH if self.from_scratch else EPOCHS

    @property
    def is_balanced(self) -> bool:
        """Whether every class has the same weight in the loss, however few images it has."""
        return self.class_weights == "balanced"

    @property
    def runs(self) -> Path:
        """The folder of the runs, next to the tree: inside it, a folder would be a class."""
        tree = Path(self.tree).absolute()
        tree = tree.resolve() if ".." in tree.parts else tree  # needs a name
        if not tree.name:
            raise UsageError(f"{tree} has no parent folder, so there is no place for its runs.", "Name a folder in it.")
        return tree.with_name(f"{tree.name}.runs")

    @property
    def store(self) -> Path:
        """The folder of the feature cache."""
        return self.cache or self.runs / "cache"

    def unlike(self, original: TrainingOptions) -> list[str]:
        """Return the flags of the options that differ from those of another training, and from the defaults."""
        return [
            field.option.long_flag
            for field in changed_fields(self)
            if field.option and field.name not in _NOW and getattr(self, field.name) != getattr(original, field.name)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the document of options.json."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


def _check_choices(flag: str, values: tuple[str, ...], known: tuple[str, ...]) -> None:
    for value in values:
        if value not in known:
            raise UsageError(f"{flag} {value}: not one of {', '.join(known)}.")
