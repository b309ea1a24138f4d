"""What the schema of a hub's Parquet file says beyond Arrow's types: the names behind class numbers.

`datasets` writes its features as JSON into the schema's metadata (key `huggingface`); a `ClassLabel` column holds
numbers there, and the names stand only in that JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

ClassNames = Mapping[str, list[str]]


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Column -> names in the order of their numbers, for every column (or list) of class labels."""
    raw = (schema.metadata or {}).get(b"huggingface")
    if raw is None:
        return {}
    try:
        features = json.loads(raw)["info"]["features"]
    except (ValueError, KeyError, TypeError):
        return {}
    found = {column: _names(feature) for column, feature in features.items()} if isinstance(features, dict) else {}
    return {column: names for column, names in found.items() if names}


def _names(feature: Any) -> list[str]:
    """The names of a class label, also inside a list of them."""
    if isinstance(feature, list) and feature:
        return _names(feature[0])
    if not isinstance(feature, dict):
        return []
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return [str(name) for name in feature["names"]]
    return _names(feature["feature"]) if feature.get("_type") in ("Sequence", "List") and "feature" in feature else []


def named(row: dict[str, Any], classes: ClassNames) -> dict[str, Any]:
    """The row with names for class numbers; -1, as hubs mark a hidden label, is null."""
    if not classes:
        return row
    return {column: _name(value, classes[column]) if column in classes else value for column, value in row.items()}


def _name(value: Any, names: list[str]) -> Any:
    if isinstance(value, list):
        return [_name(item, names) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return names[value] if 0 <= value < len(names) else None if value == -1 else value
    return value
