"""Compose until every sample that is taken has a row.

Whether a sample has a row is known when its row is made: its span cannot be cut, or it has no answer. It is then no
candidate, and the choice is made again without it, so that the result is the choice among the samples with rows. Of a
sample that has fewer rows than were to be made of it, the others count no more. Rows are made of the taken samples
only; if that does not come to an end soon, once of all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...errors import UsageError
from ...shards.budgets.text import EXTRA
from ...shards.store.sql import first_row
from .compose import KEY, Composed, compose, count_parts
from .options import Composition

if TYPE_CHECKING:
    import duckdb

R = TypeVar("R")

_PASSES = 4
"""After so many passes, rows are made of all samples, to learn of each whether it has one."""

_WITHOUT = """
    INSERT INTO without_row SELECT DISTINCT key, NULL FROM ({}) ANTI JOIN without_row USING (key)"""
_SAMPLES = "SELECT md5_number(_sample) AS key FROM rows GROUP BY _sample HAVING NOT bool_or(_outcome IS NULL)"
_ROWS = f"SELECT {KEY} AS key FROM rows WHERE _outcome IS NOT NULL"
_FEWER = """
    SELECT key, n // coalesce(copies, 1) AS n
    FROM (SELECT md5_number(_sample) AS key, count(*) AS n FROM rows WHERE _outcome IS NULL GROUP BY key)
    LEFT JOIN copies USING (key)"""
"""The rows that a sample has in fact; a sample that is repeated has all of them each time."""


def fill(
    connection: duckdb.DuckDBPyConnection,
    composition: Composition,
    *,
    seed: int,
    unusable: str,
    choose: Callable[..., str],
    make: Callable[[Path], R],
    folder: Path,
    expanded: bool,
) -> tuple[R, Composed]:
    """Make the rows of a composition.

    Args:
        unusable: SQL over `chosen c` for samples that have no row, whatever is chosen.
        choose: Makes `chosen` without the samples of further tables; returns its statement.
        make: Makes `rows` of `chosen` with scratch files in a folder.
        folder: For scratch files.
        expanded: Whether a sample may have several rows.

    Raises:
        ProblemsFound: A part that must have a share has nothing to give.
        UsageError: Shares are of tokens, and those of no row are known.
    """
    if expanded:
        count_parts(connection)
    if composition.measure == "tokens":
        _count_tokens(connection, choose, make, folder / "all", expanded=expanded)
    number = 0
    while True:
        choose()
        composed = compose(connection, composition, seed=seed, unusable=unusable)
        if number != _PASSES:
            composed.sql.append(choose("not_composed"))
        inside = folder / f"rows{number}"
        inside.mkdir()
        rows = make(inside)
        if not _learn(connection, expanded=expanded) and number != _PASSES:
            return rows, composed
        shutil.rmtree(inside)
        number += 1


def _count_tokens(
    connection: duckdb.DuckDBPyConnection,
    choose: Callable[..., str],
    make: Callable[[Path], object],
    folder: Path,
    *,
    expanded: bool,
) -> None:
    """Make the rows of all samples, whose tokens `budget` counts, and add them up; unknown if those of a row are."""
    choose()
    folder.mkdir()
    make(folder)
    sample = "_sample" if expanded else "id"
    connection.execute(f"""
        INSERT INTO sample_tokens
        SELECT md5_number(sample), CASE WHEN count(*) = count(tokens) THEN sum(tokens)::BIGINT END
        FROM (SELECT id, {sample} AS sample FROM rows WHERE _outcome IS NULL) JOIN budget USING (id) GROUP BY sample""")
    _learn(connection, expanded=expanded)
    shutil.rmtree(folder)
    rows, counted = first_row(connection, "SELECT count(*), count(tokens) FROM sample_tokens") or (0, 0)
    if rows and not counted:
        raise UsageError("--mix-by tokens: the tokens of no row are known, since texts are not counted.", hint=EXTRA)


def _learn(connection: duckdb.DuckDBPyConnection, *, expanded: bool) -> int:
    """Note the samples without a row, or with fewer rows, that were not known; returns their number."""
    known = first_row(connection, "SELECT count(*) FROM without_row") or (0,)
    connection.execute(_WITHOUT.format(_SAMPLES if expanded else _ROWS))
    now = first_row(connection, "SELECT count(*) FROM without_row") or (0,)
    fewer: tuple[int, ...] = (0,)
    if expanded:
        counts = f"UPDATE part_counts p SET parts = f.n FROM ({_FEWER}) f WHERE p.key = f.key AND p.parts <> f.n"
        fewer = first_row(connection, counts) or (0,)
    return int(now[0]) - int(known[0]) + int(fewer[0])
