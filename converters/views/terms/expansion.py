"""The chunks of all selected samples as rows to be made: the table `term_chunks`, joined to the samples.

A sample of which there is no chunk keeps one row that says why: `no_audio`, `no_words`, `unknown_length`, `no_term`,
`untimed_word`, `unknown_word`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ....shards.sample import ALIGNMENT
from ..base import ViewOptions
from . import glossary
from .chunk_type import CHUNK
from .chunks import Chunk, Utterance, chunks_of, unsure_word, words_of
from .roles import assign

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_BATCH = 1024


def expand(connection: duckdb.DuckDBPyConnection, relation: str, options: ViewOptions) -> str:
    """A SELECT with a row for each chunk of each sample; it has the further column `chunk`."""
    import pyarrow as pa

    schema = _schema()
    connection.register("term_chunks_arrow", schema.empty_table())
    connection.execute("CREATE OR REPLACE TABLE term_chunks AS SELECT * FROM term_chunks_arrow")
    found = glossary.of_options(options.own)
    rows = _rows(connection, relation, found, options.own)
    batch: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        batch.append(row | {"number": number})
        if len(batch) == _BATCH:
            _insert(connection, pa.Table.from_pylist(batch, schema=schema))
            batch = []
    _insert(connection, pa.Table.from_pylist(batch, schema=schema))
    assign(connection, test_terms=options.own["test_terms"], unseen=options.own["unseen_terms"])
    return f"""
        SELECT r.* REPLACE (nullif(concat_ws('#', r.part, c.chunk_part), '') AS part,
                            coalesce(r.part_outcome, c.chunk_outcome) AS part_outcome,
                            CASE WHEN c.chunk IS NULL THEN r.start_s ELSE c.chunk_start END AS start_s,
                            CASE WHEN c.chunk IS NULL THEN r.end_s ELSE c.chunk_end END AS end_s,
                            CASE WHEN c.chunk IS NULL THEN r.text ELSE c.chunk_text END AS text,
                            CASE WHEN c.chunk IS NULL THEN r.words ELSE c.chunk_words END AS words),
               c.chunk
        FROM {relation} r JOIN term_chunks c
          ON r.dataset = c.dataset AND r.id = c.id AND r.part IS NOT DISTINCT FROM c.of_part"""


def _insert(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> None:
    connection.register("term_chunks_arrow", table)
    connection.execute("INSERT INTO term_chunks SELECT * FROM term_chunks_arrow")
    connection.unregister("term_chunks_arrow")


def _schema() -> pa.Schema:
    import pyarrow as pa

    texts = pa.list_(pa.string())
    return pa.schema(
        [("number", pa.int64()), ("dataset", pa.string()), ("id", pa.string()), ("of_part", pa.string()),
         ("held_out", pa.bool_()), ("rejected", pa.bool_()), ("sound", pa.string()), ("channel", pa.int32()),
         ("chunk_part", pa.string()), ("chunk_outcome", pa.string()), ("chunk_start", pa.float64()),
         ("chunk_end", pa.float64()), ("chunk_text", pa.string()), ("chunk_words", ALIGNMENT), ("named", texts),
         ("chunk", CHUNK)]
    )  # fmt: skip


def _rows(
    connection: duckdb.DuckDBPyConnection, relation: str, found: glossary.Glossary, own: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    phrases = found.phrases
    rows = connection.cursor().execute(f"""
        SELECT dataset, id, part, coalesce(held_out, false), coalesce(role, 'train'),
               verdict IS NOT DISTINCT FROM 'reject', coalesce(audio.sha256, video.sha256), channel, words,
               coalesce(start_s, 0),
               least(end_s, coalesce(audio.duration, CASE WHEN audio IS NULL THEN video.duration END)),
               audio IS NOT NULL OR coalesce(video.has_audio, false)
        FROM {relation}""")
    while batch := rows.fetchmany(_BATCH):
        for dataset, identity, part, held_out, role, rejected, sound, channel, items, start, end, is_heard in batch:
            sample = {
                "dataset": dataset, "id": identity, "of_part": part, "held_out": held_out, "rejected": rejected,
                "sound": sound, "channel": channel,
            }  # fmt: skip
            words = words_of(items, start, end) if end is not None else []
            unsure = unsure_word(items, start, end) if words else None
            chunks: list[Chunk] = []
            if words and unsure is None:
                chunks = chunks_of(
                    Utterance(identity, start, end, words), phrases, context=own["context"],
                    no_term_share=own["no_term_share"], first_only=own["occurrences"] == "first",
                )  # fmt: skip
            for chunk in chunks:
                yield sample | _described(chunk, identity, role)
            if not chunks:
                outcome = unsure or ("no_term" if words else "unknown_length" if end is None else "no_words")
                yield sample | {"chunk_outcome": outcome if is_heard else "no_audio"}


def _described(chunk: Chunk, identity: str, role: str) -> dict[str, Any]:
    is_no_term = not chunk.terms
    facts = {
        "segment_id": f"{identity}_{chunk.part}" if is_no_term else identity,
        "split": role,
        "terms": chunk.terms,
        "other_terms": [label for label in chunk.named if label not in chunk.terms],
        "is_no_term_chunk": is_no_term,
        **chunk.facts,
    }
    return {
        "chunk_part": chunk.part,
        "chunk_outcome": chunk.outcome,
        "chunk_start": chunk.start,
        "chunk_end": chunk.end,
        "chunk_text": chunk.text,
        "chunk_words": [{"text": word.text, "start_s": word.start, "end_s": word.end} for word in chunk.words],
        "named": chunk.named,
        "chunk": facts,
    }
