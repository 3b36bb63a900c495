"""Shell completion of sources and datasets; the shell completes files itself."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer  # noqa: TC002 - Typer reads the annotations while it runs

from harvest.cli.find_named_pictures import datasets_in

if TYPE_CHECKING:
    from collections.abc import Sequence


def complete_source(incomplete: str) -> list[str]:
    """Complete the name of a source, in the case that was typed."""
    from harvest import providers

    return _matching_names(providers.names(), incomplete)


def complete_sources(incomplete: str) -> list[str]:
    """Complete the name of a source, or `ALL`."""
    return [*_matching_names(["ALL"], incomplete), *complete_source(incomplete)]


def _matching_names(names: Sequence[str], incomplete: str) -> list[str]:
    cased = (name.lower() if incomplete.islower() else name for name in names)
    return [name for name in cased if name.startswith(incomplete)]


def complete_datasets(incomplete: str) -> list[str]:
    """Complete the name of a dataset; the shell completes everything else."""
    folder, start = os.path.split(incomplete)
    return [os.path.join(folder, name) for name in datasets_in(folder) if name.startswith(start)]  # noqa: PTH118


def complete_first(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a dataset, which can only be the first argument."""
    return [] if ctx.params.get("words") else complete_datasets(incomplete)
