"""Chunks around terms as they are published: which are trained on, and which are measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError, amount
from ...shards.split_roles import role_of_name
from ...shards.store.store import Store
from ...shards.store.use import using
from ..data.exports import ExportReader

TRAIN, VALIDATION, TEST = "train", "validation", "test"
VIEW = "term-chunks"
TERMS, GLOSSARY = "glossary_term2idx.json", "glossary.json"

TERM = "term"
"""The text field of which every term has one: itself."""

Entries = Mapping[str, Mapping[str, Any]]
"""The entries of a glossary, by term."""


@dataclass(frozen=True, slots=True)
class TermRow:
    """One chunk.

    Attributes:
        role: `train`, `validation` or `test`.
        source: The sample that it was cut from.
        terms: Those that it was cut around; none: it names none.
        other_terms: Further terms that are said in it.
        sha256: What its sound must be, where it was linked.
    """

    id: str
    role: str
    source: str
    audio: Path
    text: str
    terms: tuple[str, ...]
    other_terms: tuple[str, ...]
    sha256: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TermRows:
    """The chunks of one version, and its glossary.

    Attributes:
        glossary: Every term that chunks can name, in the order of the version's file.
        entries: Glossary entries by lower-case phrase and term.
    """

    reader: ExportReader
    rows: Sequence[TermRow]
    glossary: tuple[str, ...]
    entries: Entries

    @classmethod
    def open(cls, reference: str, *, store: Store) -> TermRows:
        """Open `NAME` (its latest version) or `NAME@vN`.

        Raises:
            UsageError: No such version, or its rows are no chunks around terms.
            DamagedError: The version differs from what was published.
        """
        with using(store, "train") as opened:
            reader = ExportReader.open(reference, store=opened)
        version = reader.version
        if version.manifest.get("view") != VIEW:
            raise UsageError(
                f"{version.reference}: rows of the view {version.manifest.get('view')}, not of chunks around terms.",
                hint="triptych export term-chunks --glossary FILE",
            )
        glossary = json.loads((version.path / TERMS).read_text(encoding="utf-8"))
        entries = json.loads((version.path / GLOSSARY).read_text(encoding="utf-8"))
        return cls(reader, list(_rows(reader)), tuple(glossary), _entries(entries))

    def of(self, role: str) -> list[TermRow]:
        return [row for row in self.rows if row.role == role]

    def texts_of(self, terms: Sequence[str], field: str) -> list[str]:
        """What stands for terms: they themselves, or their descriptions.

        Raises:
            UsageError: A term has no description.
        """
        return texts_of(
            terms, self.entries, field, where=self.reader.version.reference,
            hint="add them to the glossary and export again, or --set retrieval.text_field=term",
        )  # fmt: skip

    def alike(self, field: str, read: Callable[[Sequence[str]], Sequence[Hashable]]) -> dict[str, str]:
        """The term that stands for each: the first whose text is the same to an encoder, which cannot tell them apart.

        Args:
            read: What an encoder reads of texts.

        Raises:
            UsageError: A term has no description.
        """
        first: dict[Hashable, str] = {}
        texts = read(self.texts_of(self.glossary, field))
        return {term: first.setdefault(text, term) for term, text in zip(self.glossary, texts, strict=True)}


def texts_of(terms: Sequence[str], entries: Entries, field: str, *, where: str, hint: str) -> list[str]:
    """What stands for terms: they themselves, or a field of their entries.

    Raises:
        UsageError: A term has none.
    """
    if field == TERM:
        return list(terms)
    found = [str(entries.get(term, {}).get(field) or "") for term in terms]
    missing = [term for term, text in zip(terms, found, strict=True) if not text.strip()]
    if missing:
        raise UsageError(f"{where}: {amount(len(missing), 'term', 'have')} no {field}: {missing[0]!r} ...", hint=hint)
    return found


def _rows(reader: ExportReader) -> Iterator[TermRow]:
    for row in reader.rows():
        role = role_of_name(str(row.get("split") or ""))
        if role not in (TRAIN, VALIDATION, TEST):
            raise UsageError(
                f"{reader.version.reference}: row {row['id']} is of the split {row.get('split')!r}, which is neither "
                "for training nor for validation or tests.",
                hint="export with --split, or make splits with triptych split",
            )
        yield TermRow(
            str(row["id"]), role, str(row.get("sample_id") or row["id"]), Path(row["audio"]),
            str(row.get("term_chunk_text") or ""),
            tuple(row.get("term_chunk_audio_ground_truth_terms") or ()), tuple(row.get("other_terms") or ()),
            reader.linked.get(row["audio"]),
        )  # fmt: skip


def _entries(glossary: Any) -> Entries:
    if not isinstance(glossary, dict):
        return {}
    found: dict[str, dict[str, Any]] = {}
    for phrase, entry in glossary.items():
        if isinstance(entry, dict):
            found[str(phrase).lower()] = entry
            found.setdefault(str(entry.get("term", phrase)).lower(), entry)
    return found
