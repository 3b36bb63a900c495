"""Give a command the options that a class declares, and turn what was typed into arguments for Python."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_origin

import typer

from harvest.option_fields import OptionField, all_options, expand_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., None]")


def with_options(options: type, completion: Mapping[str, Callable[..., Any]] | None = None) -> Callable[[F], F]:
    """Replace the `**options` of a command by the options that a class declares.

    `completion` has the functions that complete values in the shell, by keyword.
    """

    def decorate(command: F) -> F:
        functions = completion or {}
        declared = [_parameter(field, functions.get(field.keyword)) for field in all_options(options)]
        signature = expand_options(inspect.signature(command, eval_str=True), declared)
        command.__signature__ = signature  # type: ignore[attr-defined]
        return command

    return decorate


def as_keywords(options: type, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was typed as arguments for Python, those left out left out."""
    values = {}
    for field in all_options(options):
        value = typed[field.keyword]
        option = field.option
        assert option is not None
        if option.turns_off:
            value = not value
        elif option.parse is not None and value is not None:
            value = option.parse(value)
        if value is not None:
            values[field.keyword] = value
    return values


def _parameter(field: OptionField, completion: Callable[..., Any] | None) -> inspect.Parameter:
    option = field.option
    assert option is not None
    kind: Any = field.kind
    default = field.default
    if option.parse is not None:
        kind, default = str, ",".join(default) if default else None
    elif get_origin(kind) is tuple:
        kind, default = list[str], None  # Typer collects the values of a repeated option in a list
    elif option.turns_off:
        default = False
    info = typer.Option(
        *option.flags,
        help=option.help,
        metavar=option.metavar,
        min=option.min,
        max=option.max,
        autocompletion=completion,
    )
    if default is None:
        kind = kind | None
    return inspect.Parameter(
        field.keyword, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )
