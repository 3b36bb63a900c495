"""Options declared once: a field of a dataclass carries its flags, its help text and its range.

`harvest get`, `harvest train` and `harvest()` derive their parameters from these fields.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from datetime import date
from enum import Enum
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

from harvest.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

T = TypeVar("T")


class Option:
    """How a field is offered to a person; `keyword` is its name in Python where the field has another."""

    def __init__(
        self,
        *flags: str,
        help: str,  # noqa: A002 - as Typer calls it
        keyword: str = "",
        metavar: str | None = None,
        min: float | None = None,  # noqa: A002
        max: float | None = None,  # noqa: A002
        sanity_max: float | None = None,
        turns_off: bool = False,
        is_day: bool = False,
        parse: Callable[[str], Any] | None = None,
    ) -> None:
        self.flags = flags
        self.help = help
        self.keyword = keyword
        self.metavar = metavar
        self.min = min
        self.max = max
        self.sanity_max = sanity_max  # more is a typing error; the help does not show it
        self.turns_off = turns_off  # the flag makes the field False, as --no-pad does
        self.is_day = is_day  # a date as text: 2024-05-31
        self.parse = parse  # makes the value of what is typed, for a field that is not of a simple type

    @property
    def long_flag(self) -> str:
        """The flag that messages name, such as `--color`."""
        return next(flag for flag in self.flags if flag.startswith("--")).partition("/")[0]


@dataclass(frozen=True, slots=True)
class OptionField:
    """One field of an options class; `option` is None for a field that no flag sets."""

    name: str
    kind: Any  # the annotation, without `| None`
    default: Any
    option: Option | None

    @property
    def keyword(self) -> str:
        """The name of the field as an argument in Python."""
        return (self.option.keyword if self.option else "") or self.name

    @property
    def is_nested(self) -> bool:
        """Whether the field holds an options object of its own."""
        return is_dataclass(self.kind)


@cache
def own_fields(options: Any) -> tuple[OptionField, ...]:
    """Return the fields of an options class, those of nested classes apart."""
    hints = get_type_hints(options, include_extras=True)
    return tuple(_read_field(field, hints[field.name]) for field in fields(options))


def all_options(options: type) -> Iterator[OptionField]:
    """Return the fields that a flag sets, those of nested classes included, in the order of their declaration."""
    for field in own_fields(options):
        if field.is_nested:
            yield from all_options(field.kind)
        elif field.option is not None:
            yield field


def from_keywords(options: Callable[..., T], values: Mapping[str, Any]) -> T:
    """Make an options object from arguments by keyword; one value sets every field of its name."""
    made = {}
    for field in own_fields(options):
        if field.is_nested:
            made[field.name] = from_keywords(field.kind, values)
        elif field.keyword in values:
            made[field.name] = _convert(field, values[field.keyword])
    return options(**made)


def check_ranges(options: Any, *, name_flags: bool = False) -> None:
    """Raise `UsageError` for a number that is out of the range of its declaration, by its keyword or its flag."""
    for field in own_fields(options.__class__):
        value = getattr(options, field.name)
        if (option := field.option) is None or value is None:
            continue
        name = option.long_flag if name_flags else field.keyword
        # `not >=`, because NaN compares as false.
        if option.min is not None and not value >= option.min:
            raise UsageError(f"{name} is {value}; the minimum is {option.min:,}.")
        for maximum in (option.max, option.sanity_max):
            if maximum is not None and not value <= maximum:
                raise UsageError(f"{name} is {value}; the maximum is {maximum:,}.")


def changed_fields(options: Any) -> list[OptionField]:
    """Return the fields whose value is not the default."""
    return [field for field in own_fields(options.__class__) if getattr(options, field.name) != field.default]


def keyword_parameters(options: type) -> list[Parameter]:
    """Return the options as keyword-only parameters, for the signature of a Python function."""
    parameters = []
    for field in all_options(options):
        kind, default = field.kind, field.default
        if isinstance(default, Enum):
            kind, default = str, default.value
        elif default is None:
            kind = kind | None
        parameters.append(Parameter(field.keyword, Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    return parameters


def expand_options(signature: Signature, parameters: Iterable[Parameter]) -> Signature:
    """Return a signature with parameters in place of its `**options`, before its own keyword-only ones."""
    own = [each for each in signature.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    positional = [each for each in own if each.kind is not Parameter.KEYWORD_ONLY]
    keywords = [each for each in own if each.kind is Parameter.KEYWORD_ONLY]
    return signature.replace(parameters=[*positional, *parameters, *keywords])


def _read_field(field: Field[Any], hint: Any) -> OptionField:
    option = None
    if get_origin(hint) is Annotated:
        hint, option = get_args(hint)
    if isinstance(hint, UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not NoneType]
        hint = kinds[0] if len(kinds) == 1 else hint
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return OptionField(field.name, hint, default, option)


def _convert(field: OptionField, value: Any) -> Any:
    """Turn what a caller may write into the field's own type: a text into a choice, a path or a tuple."""
    if value is None:
        return field.default
    if isinstance(field.kind, type) and issubclass(field.kind, Enum):
        try:
            return field.kind(value)
        except ValueError:
            choices = ", ".join(member.value for member in field.kind)
            raise UsageError(f"{field.keyword} is {value!r}; it must be one of {choices}.") from None
    if field.kind is Path:
        return Path(value)
    if get_origin(field.kind) is tuple:
        return (value,) if isinstance(value, str) else tuple(value)
    if field.option is not None and field.option.is_day:
        try:
            return date.fromisoformat(value).isoformat()
        except (TypeError, ValueError):
            raise UsageError(f"{field.keyword} is {value!r}; it must be a day, such as 2024-05-31.") from None
    return value
