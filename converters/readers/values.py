"""Cell values on their way into a sample: one rule for null, numbers and nested values, whatever the file format."""

from __future__ import annotations

import json
import math
from typing import Any


def as_text(value: Any) -> str | None:
    """The text of a cell; empty, null and NaN are null, nested values become JSON, `3.0` from a float column `3.0`."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=_plain, sort_keys=True)
    return str(value)


def without_nan(value: Any) -> Any:
    """NaN becomes null, also inside lists."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    return f"<{len(value)} bytes>" if isinstance(value, bytes) else str(value)
