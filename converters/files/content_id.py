"""Ids of rows that have none of their own, made of what they hold."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..candidate import Blob


def content_id(name: str, fields: Mapping[str, Any], media: Iterable[tuple[str, Blob]]) -> str:
    """Return an id made of a row's content: it stays when other rows are deleted or inserted.

    Embedded media counts by its length and its ends, so that no file is hashed twice.
    """
    content = [fields, [(kind, blob.name, _ends(blob.data)) for kind, blob in media]]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{name}#{digest}" if name else f"row-{digest}"


def _ends(data: bytes | None) -> str | None:
    return None if data is None else f"{len(data)}:{hashlib.sha256(data[:4096] + data[-4096:]).hexdigest()}"
