"""Candidates, and those of them that a choice lets pass, without a store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from triptych.catalog.subset.filter import Filter
from triptych.catalog.subset.options import Subset
from triptych.converters.candidate import Blob, Candidate

ids = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=12)
"""Ids as a corpus could have them."""


def candidate(name: str, *, split: str = "train", **fields: Any) -> Candidate:
    return Candidate(name, split, fields, [("audio", Blob(name, data=b"sound"))])


def passed(items: Iterable[Any], **options: Any) -> list[Any]:
    stage = Filter(Subset.of(**options), "words", lambda config: {"language": "en"})
    return list(stage.apply(items))


def ids_of(items: Iterable[Any]) -> list[str]:
    return [item.source_id for item in items if isinstance(item, Candidate)]


def listed(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "wanted.txt"
    path.write_text(text, encoding="utf-8")
    return path
