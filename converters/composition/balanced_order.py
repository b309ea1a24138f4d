"""The order of rows for calibration: whoever reads the first rows of a file reads as many tokens of every stratum.

A stratum is a modality, a dataset, a language and a task. At each step the next row is of the stratum that has had the
fewest tokens so far, of equal ones of that whose row comes first by hash. Within a stratum rows are in hash order, so
the tokens before a row never decrease: the steps are the merge of sorted sequences, and the whole is one ORDER BY those
tokens. Then, at every prefix, the tokens of two strata that still have rows differ by no more than the largest row. The
rows of one modality are in the order that they would have alone, so its file is a selection of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...validators.formats.calibration import STRATUM

if TYPE_CHECKING:
    import duckdb

OVER_STRATUM = "over_stratum"
OVER_FILE = "over_file"


def tokens_before(order: str) -> str:
    """SQL over rows for the tokens of a stratum before a row.

    Args:
        order: SQL for the order within a stratum.
    """
    return (
        f"coalesce(sum(tokens) OVER (PARTITION BY {', '.join(STRATUM)} ORDER BY {order} "
        "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)"
    )


def arrange(order: str) -> str:
    """SQL for the balanced order, from that within a stratum."""
    return f"{tokens_before(order)}, {order}"


def choose_first(connection: duckdb.DuckDBPyConnection, own: Mapping[str, Any], order: str) -> str | None:
    """A SELECT of the rows that are too many, as `id` and `reason`; None if all are taken.

    Args:
        own: The options of the view: `per_stratum`, the first rows of each stratum; `per_file`, the first rows of each
            file after that.
    """
    per_stratum, per_file = own.get("per_stratum"), own.get("per_file")
    if per_stratum is None and per_file is None:
        return None
    over_stratum = "false" if per_stratum is None else f"in_stratum > {per_stratum}"
    over_file = "false" if per_file is None else f"in_file > {per_file}"
    return f"""
        SELECT id, CASE WHEN over THEN '{OVER_STRATUM}' ELSE '{OVER_FILE}' END AS reason
        FROM (SELECT id, over, row_number() OVER (PARTITION BY modality, over ORDER BY before, place) AS in_file
              FROM (SELECT id, modality, before, place, {over_stratum} AS over
                    FROM (SELECT id, modality, {tokens_before(order)} AS before,
                                 row_number() OVER (ORDER BY {order}) AS place,
                                 row_number() OVER (PARTITION BY {", ".join(STRATUM)} ORDER BY {order}) AS in_stratum
                          FROM rows WHERE _outcome IS NULL)))
        WHERE over OR {over_file}"""
