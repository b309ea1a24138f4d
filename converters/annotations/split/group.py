"""Groups: the samples that must be in one split, as connected components over the key and the links of samples.

All samples of the store take part, so that a group reaches as far as its media does. Samples without a value of the key
are groups of their own, unless a link joins them with others.

A group is named by the smallest 64-bit hash of the keys in it, so its name depends neither on the order of samples nor
on their number, as long as none joins it with a group of a smaller name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ....shards.query import where_errors
from .key import LINKS, Key

if TYPE_CHECKING:
    import duckdb


def create_groups(connection: duckdb.DuckDBPyConnection, key: Key) -> None:
    """Create the table `grouped` (dataset, id, component, has_key): the group of each sample of `samples`.

    `has_key` says whether any sample of the group has a value of the key.

    Raises:
        UsageError: The key is an expression that fails.
    """
    with where_errors(key.text, flag="--by"):
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE keyed AS
            SELECT dataset, id, k IS NOT NULL AS has_key, {number("coalesce(k, 'i|' || id)")} AS node,
                   list_distinct([md5_number(l) FOR l IN {LINKS}]) AS links
            FROM (SELECT *, {key.sql} AS k FROM samples)""")
    edges = connection.execute("""
        WITH each AS (SELECT DISTINCT node, unnest(links) AS link FROM keyed),
             shared AS (SELECT link, min(node) AS first FROM each GROUP BY link HAVING count(*) > 1)
        SELECT DISTINCT node, first FROM each JOIN shared USING (link) WHERE node <> first""").fetchall()
    _register(connection, components(edges))
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE grouped AS
        SELECT dataset, id, component, bool_or(has_key) OVER (PARTITION BY component) AS has_key FROM (
            SELECT dataset, id, has_key, coalesce(component, node) AS component FROM keyed LEFT JOIN joined USING (node)
        )""")
    connection.execute("DROP TABLE keyed")


def number(text: str) -> str:
    """SQL for the first 64 bits of the SHA-256 of a text, as a number: the same on every machine."""
    return f"('0x' || sha256({text})[1:16])::UBIGINT"


def components(edges: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Each node of the edges and the smallest node that it is connected with."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        top = node
        while (above := parent.setdefault(top, top)) != top:
            top = above
        while node != top:
            parent[node], node = top, parent[node]
        return top

    for one, other in edges:
        low, high = sorted((root(one), root(other)))
        parent[high] = low
    return {node: root(node) for node in parent}


def _register(connection: duckdb.DuckDBPyConnection, joined: dict[int, int]) -> None:
    import pyarrow as pa

    table = pa.table(
        {"node": pa.array(list(joined), pa.uint64()), "component": pa.array(list(joined.values()), pa.uint64())}
    )
    connection.register("joined_arrow", table)
    connection.execute("CREATE OR REPLACE TEMP TABLE joined AS SELECT * FROM joined_arrow")
    connection.unregister("joined_arrow")
