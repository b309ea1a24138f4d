"""What `datasets` says of columns beyond Arrow's types: which hold media, and the names behind class numbers.

It writes its features as JSON, into the metadata of a Parquet file's schema (key `huggingface`) or beside Arrow files
(`dataset_info.json`). A `ClassLabel` holds numbers, and the names stand only in that JSON. A negative number is no
label: null. A number without a name is an error, wherever it stands in a column: nothing goes on as a bare number.
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
    """What the columns are, by the dataset's own description."""

    def __init__(self, features: Mapping[str, Any]) -> None:
        self.features = features
        self._labelled = {column: feature for column, feature in features.items() if _has_labels(feature)}

    @classmethod
    def of_schema(cls, schema: pa.Schema) -> Features:
        """Those in the metadata of a schema; none where it has none."""
        raw = (schema.metadata or {}).get(b"huggingface")
        try:
            features = json.loads(raw)["info"]["features"] if raw is not None else {}
        except (ValueError, KeyError, TypeError):
            features = {}
        return cls(features if isinstance(features, dict) else {})

    def media(self) -> dict[str, str]:
        """Column -> kind of those that hold media, alone or in lists."""
        kinds = {column: _type(_innermost(feature)).lower() for column, feature in self.features.items()}
        return {column: kind for column, kind in kinds.items() if kind in MEDIA_KINDS}

    def named(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with class labels by their names.

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
    """The feature of a list's items; None where it is no list."""
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
        # `datasets` itself writes numbers; a copy that holds the names already is right as it is.
        return value
    names = names if isinstance(names, list) else []
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            return None
        if value < len(names) and isinstance(names[value], str):
            return names[value]
    raise bad_cell(column, value, f"a class below {len(names)}")
