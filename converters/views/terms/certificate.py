"""What a version of `term-chunks` promises, read from its rows: tests share no sound with training, unseen terms are
unseen. It is written into the manifest; a version that breaks it is not published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....errors import ProblemsFound, amount
from ....shards.terms import Phrases
from ..base import ViewOptions
from . import glossary

_READ = ["id", "audio", "split", "term_chunk_text", "term_chunk_audio_ground_truth_terms", "unseen_terms"]


def certify(rows: Path, options: ViewOptions) -> dict[str, Any]:
    """Count the terms of a version, and check that training and tests are apart.

    Raises:
        ProblemsFound: They are not.
    """
    import pyarrow.parquet as pq

    found = glossary.of_options(options.own)
    chunks: Counter[str] = Counter()
    without: Counter[str] = Counter()
    terms: dict[bool, set[str]] = {True: set(), False: set()}
    sounds: dict[bool, set[str]] = {True: set(), False: set()}
    texts: dict[str, str] = {}
    unseen: set[str] = set()
    with pq.ParquetFile(rows) as file:
        columns = [name for name in _READ if name in file.schema_arrow.names]
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                is_test = row["split"] != "train"
                labels = row["term_chunk_audio_ground_truth_terms"] or []
                chunks[row["split"]] += 1
                without[row["split"]] += not labels
                terms[is_test].update(labels)
                sounds[is_test].add(row["audio"])
                unseen.update(row.get("unseen_terms") or ())
                if not is_test:
                    texts[row["id"]] = row["term_chunk_text"]
    _refuse(sounds[True] & sounds[False], "training chunks have the sound of a test chunk")
    phrases = Phrases({phrase: label for phrase, label in found.labels.items() if label in unseen})
    named = {identity for identity, text in texts.items() if unseen and phrases.named_in(text)}
    _refuse(named, "training chunks name a term that is to be unseen")
    return {
        "glossary_sha256": options.own[glossary.DIGEST],
        "glossary": {"entries": len(found.entries), "terms": len(found.terms), "never_found": dict(found.unused)},
        "chunks": dict(sorted(chunks.items())),
        "chunks_without_term": {name: count for name, count in sorted(without.items()) if count},
        "terms": {"train": len(terms[False]), "test": len(terms[True]), "test_only": len(terms[True] - terms[False])},
        "unseen_terms": sorted(unseen),
        "shared_sound": 0,
        "training_chunks_with_unseen_terms": 0,
    }


def told(manifest: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person: fewer terms are tested, or unseen, than were asked for."""
    if (certificate := manifest.get("certificate")) is None:
        return
    chunks, without = certificate["chunks"], certificate["chunks_without_term"]
    count, share, tested = own.get("test_terms"), own.get("unseen_terms"), certificate["terms"]["test"]
    if count is not None:  # one chunk is of each term that is tested, and names others
        tested = sum(rows - without.get(split, 0) for split, rows in chunks.items() if split != "train")
        if tested < count:
            are = amount(tested, "term", "are")
            yield f"{are} tested, {count:,} were asked for: validation and test splits name no others that can be"
    if share and not certificate["unseen_terms"]:
        yield f"no term is unseen: {share:g} of {amount(tested, 'tested term')} is less than one"


def _refuse(found: set[str], what: str) -> None:
    if found:
        raise ProblemsFound(f"{len(found):,} {what}, the first is {min(found)}: nothing was published.")
