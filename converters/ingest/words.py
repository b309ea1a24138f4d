"""Candidates with tasks, languages and the like in our words; whatever reader, card or table they come from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...shards.sample import sample_id
from ...shards.vocabulary import NORMALIZED, UnknownWordError
from ..candidate import Candidate, Checkpoint, Filtered, Rejection, bad_cell

Item = Candidate | Rejection | Checkpoint | Filtered


def in_our_words(stream: Iterable[Item], dataset: str) -> Iterator[Item]:
    """Yield a stream; a candidate with an unknown word becomes a rejection."""
    for item in stream:
        yield _candidate(item, dataset) if isinstance(item, Candidate) else item


def _candidate(candidate: Candidate, dataset: str) -> Candidate | Rejection:
    for field in NORMALIZED.keys() & candidate.fields.keys():
        value = candidate.fields[field]
        if not isinstance(value, str):
            continue
        try:
            candidate.fields[field] = NORMALIZED[field](value) if value.strip() else None
        except UnknownWordError as error:
            for _, blob in candidate.media:
                if blob.temporary and blob.path is not None:
                    blob.path.unlink(missing_ok=True)
            identity = sample_id(dataset, candidate.config, candidate.split, candidate.source_id)
            fault = bad_cell(field, value, error.described)
            return fault.rejection(candidate.where, candidate=identity, uri=candidate.uri)
    return candidate
