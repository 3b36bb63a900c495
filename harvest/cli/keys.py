"""`harvest keys`: keeps keys in a file of yours, tells where each comes from, and never shows one."""

from __future__ import annotations

import getpass
import os
import sys
from enum import StrEnum
from typing import Annotated

import typer

from harvest.cli import console
from harvest.cli.completion import complete_source
from harvest.errors import HarvestError, UsageError


class KeyAction(StrEnum):
    """What to do with keys."""

    SET = "set"
    LIST = "list"
    PATH = "path"


def keys(
    action: Annotated[KeyAction, typer.Argument(metavar="set|list|path", help="What to do.")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            autocompletion=complete_source,
            help="With set: a source, or the variable of a key.",
        ),
    ] = None,
) -> None:
    """Keep the keys of sources in a file that only you can read.

    set asks for a key without showing it, or reads it from standard input; list tells which keys there
    are and where each comes from; path tells where the file is. Variables of the environment come first.
    """
    from harvest import credentials as store

    if action is KeyAction.SET:
        if name is None:
            raise UsageError("harvest keys set needs a name.", "A source (flickr), or a variable.")
        _set(_variable(name))
    elif name is not None:
        raise UsageError(f"harvest keys {action} takes no name, and {name!r} is one.")
    elif action is KeyAction.LIST:
        _list()
    else:
        print(store.key_file())


def _set(variable: str) -> None:
    from harvest import credentials as store

    value = _prompt(variable).strip()
    if not value:
        raise UsageError(f"No key was given for {variable}.", "Nothing was changed.")
    if not value.isprintable():
        raise UsageError(f"What was given for {variable} is no key: it holds control characters.")
    file = store.save_key(variable, value)
    print(f"{variable} is kept in {console.one_line(file)}")
    if os.environ.get(variable, value) != value:
        console.note(f"{variable} of the environment is another, and comes first")


def _prompt(variable: str) -> str:
    try:
        return getpass.getpass(f"{variable}: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        return ""
    except UnicodeDecodeError:
        raise UsageError(f"What was given for {variable} is no text.") from None


def _list() -> None:
    from harvest import credentials as store

    kept, file = store.load_keys(), store.key_file()
    known = _known_variables()
    width = max(map(len, {*known, *kept}), default=0)
    for variable in sorted({*known, *kept}):
        if variable in os.environ:
            where = f"the environment{'' if os.environ[variable].strip() else ', empty'}"
        else:
            where = console.one_line(file) if variable in kept else "not set"
        print(f"{variable:<{width}}  {known.get(variable, ''):<11}  {where}")
    if store.is_readable_by_others(file):
        console.warn(f"others can read {file}; `harvest keys set` makes it yours alone again")


def _variable(name: str) -> str:
    """Return the variable that a name means: its own, or that of a source's key."""
    from harvest import providers as registry

    variable = name.strip().upper().replace("-", "_")
    if variable in _known_variables():
        return variable
    source = registry.get(name)
    if source.key is not None:
        return source.key.variable
    if source.variables:
        raise UsageError(
            f"{source.label} takes keys of several kinds: {', '.join(source.variables)}.",
            f"Name the one you have: harvest keys set {source.variables[0]}",
        )
    raise UsageError(f"{source.label} needs no key.")


def _known_variables() -> dict[str, str]:
    """Return the variables that sources read, each with the name of its source."""
    from harvest import providers as registry

    known = {}
    for name in registry.names():
        try:
            source = registry.get(name)
        except HarvestError:  # somebody's, and broken: `harvest doctor` tells
            continue
        of_key = (source.key.variable, *source.key.also) if source.key else ()
        known.update(dict.fromkeys((*of_key, *source.variables), name))
    return known
