"""`harvest keys`: stores keys in a private file and lists where each comes from; it never shows a key."""

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
    action: Annotated[KeyAction, typer.Argument(metavar="set|list|path", help="Action.")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            autocompletion=complete_source,
            help="With set: a source, or the environment variable of a key.",
        ),
    ] = None,
) -> None:
    """Store the keys of sources in a file that only you can read.

    set asks for a key without showing it, or reads it from standard input. list shows which keys are set
    and where each comes from. path prints the path of the file. Environment variables take precedence.
    """
    from harvest import credentials as store

    if action is KeyAction.SET:
        if name is None:
            raise UsageError("harvest keys set needs a name.", "Name a source (flickr) or an environment variable.")
        _set(_variable(name))
    elif name is not None:
        raise UsageError(f"harvest keys {action} takes no name, but got {name!r}.")
    elif action is KeyAction.LIST:
        _list()
    else:
        print(store.key_file())


def _set(variable: str) -> None:
    from harvest import credentials as store

    value = _prompt(variable).strip()
    if not value:
        raise UsageError(f"the key for {variable} is empty.", "Nothing was changed.")
    if not value.isprintable():
        raise UsageError(f"the key for {variable} contains control characters.", "Nothing was changed.")
    file = store.save_key(variable, value)
    print(f"{variable} is stored in {console.one_line(file)}")
    if os.environ.get(variable, value) != value:
        console.note(f"the environment has another value for {variable}, which takes precedence")


def _prompt(variable: str) -> str:
    try:
        return getpass.getpass(f"{variable}: ") if sys.stdin.isatty() else sys.stdin.readline()
    except EOFError:
        return ""
    except UnicodeDecodeError:
        raise UsageError(f"the key for {variable} is not valid text.", "Nothing was changed.") from None


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
        console.warn(f"other users can read {file}; `harvest keys set` makes it private again")


def _variable(name: str) -> str:
    """Return the environment variable for a name, which is a variable or a source."""
    from harvest import providers as registry

    variable = name.strip().upper().replace("-", "_")
    if variable in _known_variables():
        return variable
    source = registry.get(name)
    if source.key is not None:
        return source.key.variable
    if len(source.variables) == 1:
        return source.variables[0]
    if source.variables:
        raise UsageError(
            f"{source.label} accepts several keys: {', '.join(source.variables)}.",
            f"Name the one to store: harvest keys set {source.variables[0]}",
        )
    raise UsageError(f"{source.label} needs no key.")


def _known_variables() -> dict[str, str]:
    """Return the environment variables that sources read, each with the name of its source."""
    from harvest import providers as registry

    known = {}
    for name in registry.names():
        try:
            source = registry.get(name)
        except HarvestError:  # a broken plug-in: `harvest doctor` reports it
            continue
        of_key = (source.key.variable, *source.key.also) if source.key else ()
        known.update(dict.fromkeys((*of_key, *source.variables), name))
    return known
