"""Column metadata of `datasets` beyond Arrow types: which columns contain media, and the names of class numbers.

`datasets` writes its features as JSON, into the metadata of a Parquet schema (key `huggingface`) or next to Arrow files
(`dataset_info.json`). A `ClassLabel` column contains numbers, and only that JSON has the names. A negative number means
no label and becomes null. A number without a name is an error at any nesting level: a class never stays a bare number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ....shards.sample import MEDIA_KINDS
from ...candidate import bad_cell

if TYPE_CHECKING:
    import pyarrow as pa


class Features:
    """The features of the columns, as the dataset describes them."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        self.features = features
        self._labelled = {column: feature for column, feature in features.items() if _has_labels(feature)}

    @classmethod
    def of_schema(cls, schema: pa.Schema) -> Features:
        """The features in the metadata of a schema; empty if it has none."""
        raw = (schema.metadata or {}).get(b"huggingface")
        try:
            features = json.loads(raw)["info"]["features"] if raw is not None else {}
        except (ValueError, KeyError, TypeError):
            features = {}
        return cls(features if isinstance(features, dict) else {})

    def media(self) -> dict[str, str]:
        """Column -> kind, for columns that contain media, alone or in lists."""
        kinds = {column: _type(_innermost(feature)).lower() for column, feature in self.features.items()}
        return {column: kind for column, kind in kinds.items() if kind in MEDIA_KINDS}

    def named(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with class numbers replaced by their names.

        Raises:
            RowError: A number has no name.
        """
        if not self._labelled:
            return row
        labelled = self._labelled
        return {
            column: _named(labelled[column], value, column) if column in labelled else value
            for column, value in row.items()
        }


def _type(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _element(feature: Any) -> Any:
    """The feature of a list's items; None if it is not a list."""
    if isinstance(feature, list) and len(feature) == 1:
        return feature[0]
    return feature.get("feature") if _type(feature) in ("List", "LargeList", "Sequence") else None


def _innermost(feature: Any) -> Any:
    element = _element(feature)
    return feature if element is None else _innermost(element)


def _has_labels(feature: Any) -> bool:
    if isinstance(feature, list):
        return any(_has_labels(item) for item in feature)
    if not isinstance(feature, dict):
        return False
    return _type(feature) == "ClassLabel" or any(_has_labels(inner) for inner in feature.values())


def _named(feature: Any, value: Any, column: str) -> Any:
    if value is None or feature is None:
        return value
    if _type(feature) == "ClassLabel":
        return _class(feature.get("names") or [], value, column)
    element = _element(feature)
    if isinstance(value, list):
        return [_named(element, item, column) for item in value]
    if isinstance(value, dict) and _type(element if element is not None else feature) == "":
        inner = element if element is not None else feature
        if not isinstance(inner, dict):
            return value
        listed = element is not None
        return {k: _named([inner.get(k)] if listed else inner.get(k), v, f"{column}.{k}") for k, v in value.items()}
    return value


def _class(names: Any, value: Any, column: str) -> Any:
    if isinstance(value, str):
        # `datasets` itself writes numbers; a copy that already has names needs no change.
        return value
    names = names if isinstance(names, list) else []
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            return None
        if value < len(names) and isinstance(names[value], str):
            return names[value]
    raise bad_cell(column, value, f"a class below {len(names)}")
