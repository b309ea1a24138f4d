"""A glossary of one's own, as a file: the terms that are searched in place of those of a run.

Terms are those of `triptych export term-chunks`: of an object of phrases the `term` of each entry, else the phrase
itself; of a list its texts, or the `term` of its objects; of a text file its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.json_objects import parse
from ....shards.terms import plain
from ..term_rows import Entries


def read_glossary(path: Path) -> Entries:
    """The terms of a file in their order, each once, in lower case, with its entry.

    Raises:
        UsageError: It cannot be read, or names none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        value = parse(text) if path.suffix.lower() == ".json" else text.splitlines()
    except RecursionError as error:
        raise UsageError(f"--glossary {path}: its lists or objects are nested too deeply.") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"--glossary {path}: {error}.") from error
    found: dict[str, dict[str, Any]] = {}
    for term, entry in _entries(path, value):
        if name := plain(term):
            found.setdefault(name, entry)
    if not found:
        raise UsageError(f"--glossary {path}: it names no term.")
    return found


def _entries(path: Path, value: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        for phrase, told in value.items():
            entry = told if isinstance(told, dict) else {}
            yield _text(path, f"the entry {phrase!r:.80}", entry.get("term", phrase)), entry
    elif isinstance(value, list):
        for number, told in enumerate(value, 1):
            entry = told if isinstance(told, dict) else {"term": told}
            yield _text(path, f"entry {number}", entry.get("term")), entry
    else:
        raise UsageError(f"--glossary {path}: an object of phrases or a list of terms is expected.")


def _text(path: Path, where: str, term: Any) -> str:
    if not isinstance(term, str):
        raise UsageError(f"--glossary {path}: {where} is no term: {term!r:.80}.")
    return term
