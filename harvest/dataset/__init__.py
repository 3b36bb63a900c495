"""A dataset: class folders and their ledger. Every command opens one, which reconciles the two."""

from harvest.dataset.apply_decisions import BatchResult, RestoreResult
from harvest.dataset.dataset import Dataset
from harvest.dataset.file_operations import Placement
from harvest.dataset.inspect_new_files import SkippedFile
from harvest.dataset.pages_naming_another_class import PageMismatch
from harvest.dataset.read_for_training import ReadOnlyDataset, save_split_in_ledger
from harvest.dataset.report_statistics import SIDES, ReportStatistics
from harvest.dataset.reported_changes import Change, Changes
from harvest.ledger.decision_kinds import Action
from harvest.ledger.export_queries import ImageProvenance, RunRecord, SearchCount
from harvest.ledger.history import PictureHistory
from harvest.ledger.hit_table import HitVerdict
from harvest.ledger.list_rejections import Rejection, RejectionBatch
from harvest.ledger.near_duplicate_table import NearDuplicate
from harvest.ledger.picture_table import KnownPicture
from harvest.ledger.report_queries import Attribution, OriginCount, RangeCount, RankRate, SampleRow, SourceCount
from harvest.ledger.review_queries import LOCAL as LOCAL_SOURCE
from harvest.ledger.review_queries import LedgerPosition, ReviewRow
from harvest.ledger.search_and_hit_tables import EXHAUSTED, LIMIT_REACHED, SearchRecord
from harvest.ledger.shard_table import ShardCounts
from harvest.ledger.statistics import ClassCounts, Conflict, KeepRate
from harvest.ledger.training_data_and_splits import Origin
from harvest.ledger.undo_and_redo_from_log import UndoStep

__all__ = [
    "EXHAUSTED",
    "LIMIT_REACHED",
    "LOCAL_SOURCE",
    "SIDES",
    "Action",
    "Attribution",
    "BatchResult",
    "Change",
    "Changes",
    "ClassCounts",
    "Conflict",
    "Dataset",
    "HitVerdict",
    "ImageProvenance",
    "KeepRate",
    "KnownPicture",
    "LedgerPosition",
    "NearDuplicate",
    "Origin",
    "OriginCount",
    "PageMismatch",
    "PictureHistory",
    "Placement",
    "RangeCount",
    "RankRate",
    "ReadOnlyDataset",
    "Rejection",
    "RejectionBatch",
    "ReportStatistics",
    "RestoreResult",
    "ReviewRow",
    "RunRecord",
    "SampleRow",
    "SearchCount",
    "SearchRecord",
    "ShardCounts",
    "SkippedFile",
    "SourceCount",
    "UndoStep",
    "save_split_in_ledger",
]
