"""Which terms and chunks are tested, and what training must not have then.

Tests are made of validation and test splits alone. Of their terms, or of as many as are asked for, a share is unseen: a
training chunk that names one anywhere, not only in the middle, is left out (`unseen_term`). A training chunk of sound
that a tested utterance has is left out, too (`audio_in_test`). With a number of terms each is tested by one chunk, and
the others of these splits are left out (`not_in_test`). What is drawn depends on the terms and ids alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....errors import UsageError
from ....shards.store.sql import first_row

if TYPE_CHECKING:
    import duckdb

_TESTABLE = "held_out AND chunk_outcome IS NULL AND NOT rejected AND NOT chunk.is_no_term_chunk"


def assign(connection: duckdb.DuckDBPyConnection, *, test_terms: int | None, unseen: float | None) -> None:
    """Set the outcomes of `term_chunks` that depend on others, and the unseen terms of tests.

    Raises:
        UsageError: Terms are to be tested, and no selected validation or test split names any.
    """
    _keep_sound_apart(connection)
    if test_terms is None and unseen is None:
        return
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE tested AS
        SELECT term, sha256('unseen:' || term) AS draw
        FROM (SELECT DISTINCT unnest(chunk.terms) AS term FROM term_chunks WHERE {_TESTABLE})
        ORDER BY sha256('test:' || term){"" if test_terms is None else f" LIMIT {int(test_terms)}"}""")
    count = (first_row(connection, "SELECT count(*) FROM tested") or (0,))[0]
    if not count:
        raise UsageError(
            "--test-terms and --unseen-terms need terms in validation or test splits, and the selected samples have "
            "none there.",
            hint="export all splits together, without --split; `triptych split` makes splits",
        )
    if test_terms is not None:
        connection.execute(f"""
            UPDATE term_chunks SET chunk_outcome = 'not_in_test'
            WHERE held_out AND chunk_outcome IS NULL AND NOT chunk.is_no_term_chunk AND number NOT IN (
                SELECT arg_min(number, sha256(id || '#' || chunk_part)) FROM term_chunks
                WHERE {_TESTABLE} AND chunk.terms[1] IN (SELECT term FROM tested)
                GROUP BY chunk.terms[1])""")
    if unseen is not None:
        _hold_out(connection, int(unseen * count))


def _hold_out(connection: duckdb.DuckDBPyConnection, count: int) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE unseen AS SELECT term FROM tested ORDER BY draw LIMIT {count}")
    connection.execute("""
        UPDATE term_chunks SET chunk = struct_update(chunk, unseen_terms := chunk.terms)
        WHERE held_out AND chunk.terms[1] IN (SELECT term FROM unseen)""")
    connection.execute("""
        UPDATE term_chunks SET chunk_outcome = 'unseen_term'
        WHERE NOT held_out AND chunk_outcome IS NULL AND number IN (
            SELECT number FROM (SELECT number, unnest(named) AS term FROM term_chunks WHERE NOT held_out)
            WHERE term IN (SELECT term FROM unseen))""")


def _keep_sound_apart(connection: duckdb.DuckDBPyConnection) -> None:
    """Of all samples of the selected datasets, also those that `--split` and `--where` leave out of the version."""
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE held_out_sound AS
        SELECT coalesce(audio.sha256, video.sha256) AS sound, channel AS heard, coalesce(start_s, 0) AS low,
               coalesce(end_s, 'Infinity'::DOUBLE) AS high
        FROM chosen WHERE held_out AND (audio IS NOT NULL OR video IS NOT NULL)""")
    connection.execute("""
        UPDATE term_chunks SET chunk_outcome = 'audio_in_test'
        WHERE NOT held_out AND chunk IS NOT NULL AND chunk_outcome IS NULL AND EXISTS (
            SELECT 1 FROM held_out_sound h
            WHERE h.sound = term_chunks.sound AND h.low < chunk_end AND h.high > chunk_start
              AND (h.heard IS NULL OR term_chunks.channel IS NULL OR h.heard = term_chunks.channel))""")
