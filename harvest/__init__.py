"""Harvest pictures into class folders that remember where they came from.

The public names load what they need when they are first used, so that `harvest --help` stays fast.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest.api import harvest
    from harvest.dataset import Dataset
    from harvest.errors import HarvestError
    from harvest.export.export_dataset import export_dataset
    from harvest.harvesting.summary import Summary
    from harvest.licences import Licence
    from harvest.models import Hit, Query
    from harvest.queries.query_file import read_queries
    from harvest.reproduce.merge_datasets import merge_datasets
    from harvest.reproduce.render_dataset import render_dataset
    from harvest.reproduce.replay_recipe import replay_recipe
    from harvest.reproduce.write_recipe import write_recipe
    from harvest.verdicts import Verdict

logging.getLogger(__name__).addHandler(logging.NullHandler())  # a traceback is printed only where one asks

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "HarvestError",
    "Hit",
    "Licence",
    "Query",
    "Summary",
    "Verdict",
    "export_dataset",
    "harvest",
    "merge_datasets",
    "read_queries",
    "render_dataset",
    "replay_recipe",
    "write_recipe",
]

_HOMES = {
    "Dataset": "dataset",
    "HarvestError": "errors",
    "Hit": "models",
    "Licence": "licences",
    "Query": "models",
    "Summary": "harvesting.summary",
    "Verdict": "verdicts",
    "export_dataset": "export.export_dataset",
    "harvest": "api",
    "merge_datasets": "reproduce.merge_datasets",
    "read_queries": "queries.query_file",
    "render_dataset": "reproduce.render_dataset",
    "replay_recipe": "reproduce.replay_recipe",
    "write_recipe": "reproduce.write_recipe",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'harvest' has no attribute {name!r}")
    return getattr(import_module(f"harvest.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
