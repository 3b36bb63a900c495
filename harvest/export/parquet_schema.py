"""The columns of the Parquet files of an export, with the features that `datasets` reads from their schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harvest.export.records import ExportDataset, ExportImage

_TYPES = {str: "string", int: "int64", bool: "bool"}


def build_schema(dataset: ExportDataset, first: str) -> Any:
    """Return the schema: the first column, then the label, then the metadata.

    The first column is `image`, which holds the bytes, or `file_name`.
    """
    import pyarrow as pa  # noqa: PLC0415 - an extra

    metadata = dataset.images[0].metadata()
    image_type = pa.struct([("bytes", pa.binary()), ("path", pa.string())]) if first == "image" else pa.string()
    fields = [(first, image_type), ("label", pa.int64())]
    fields += [(name, pa.type_for_alias(_TYPES[type(value)])) for name, value in metadata.items()]
    features = {
        first: {"_type": "Image"} if first == "image" else {"dtype": "string", "_type": "Value"},
        "label": {"names": list(dataset.classes), "_type": "ClassLabel"},
        **{name: {"dtype": _TYPES[type(value)], "_type": "Value"} for name, value in metadata.items()},
    }
    description = json.dumps({"info": {"features": features}}, ensure_ascii=False)
    return pa.schema(fields, metadata={"huggingface": description})


def write_table(path: Path, schema: Any, batches: Iterable[Any]) -> None:
    """Write columns as one Parquet file; each batch becomes a row group."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=_is_repeated(schema)) as writer:
        for batch in batches:
            writer.write_table(batch, row_group_size=max(1, batch.num_rows))


def _is_repeated(schema: Any) -> list[str]:
    """Return the columns that are worth a dictionary: not the images, which differ."""
    return [name for name in schema.names if name not in {"image", "id", "sha256", "original_sha256"}]


def metadata_columns(dataset: ExportDataset, images: Sequence[ExportImage]) -> dict[str, list[Any]]:
    """Return the label and the metadata of images, by column."""
    labels = dataset.labels
    rows = [{"label": labels[image.class_name], **image.metadata()} for image in images]
    return {name: [row[name] for row in rows] for name in rows[0]}
