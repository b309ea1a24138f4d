"""What a store holds of a dataset already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ...shards.hash_sets import HashMap
from ...shards.query import connect, first_row
from ...shards.store import Store, quote

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SECONDS = "coalesce(end_s - start_s, audio.duration - coalesce(start_s, 0), video.duration - coalesce(start_s, 0), 0)"
_KEY_ROWS = 200_000


def held(store: Store, dataset: str, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> int:
    """Samples of the dataset, of some splits and configurations of it where these are named."""
    return int(_total(store, "count(*)", _where(dataset, splits, configs)))


def held_seconds(store: Store, dataset: str, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> float:
    """How long those samples are together."""
    return _total(store, f"sum({_SECONDS})", _where(dataset, splits, configs))


def held_speakers(store: Store, dataset: str, *, splits: Sequence[str] = (), configs: Sequence[str] = ()) -> int | None:
    """How many speakers those samples have; None where one of them does not say who speaks."""
    where = _where(dataset, splits, configs)
    if _total(store, "count(*) - count(speaker)", where):
        return None
    return int(_total(store, "count(DISTINCT speaker)", where))


def held_keys(
    store: Store, dataset: str, *, seed: int
) -> Iterator[tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]]:
    """The keys of all samples of a dataset in a draw with this seed, and their seconds; some at a time."""
    key = f"('0x' || substr(sha256('{seed}:' || id), 1, 16))::UBIGINT"
    sql = f"SELECT {key} AS key, ({_SECONDS})::FLOAT AS seconds FROM samples_as_pulled WHERE dataset = {quote(dataset)}"
    with connect(store, named_in="samples_as_pulled") as connection:
        for batch in connection.sql(sql).to_arrow_reader(_KEY_ROWS):
            yield batch.column("key").to_numpy(), batch.column("seconds").to_numpy()


def held_lengths(store: Store, dataset: str) -> Callable[[str], float]:
    """Seconds of every sample of a dataset by its id, 16 bytes each; 0 for what is not there."""
    lengths = HashMap()
    length = f"(1000 * greatest({_SECONDS}, 0))::UBIGINT"
    sql = f"SELECT id, {length} AS length FROM samples_as_pulled WHERE dataset = {quote(dataset)}"
    with connect(store, named_in="samples_as_pulled") as connection:
        for batch in connection.sql(sql).to_arrow_reader(_KEY_ROWS):
            for identity, length in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                lengths.put(hash(identity), length)
    return lambda identity: (lengths.get(hash(identity)) or 0) / 1000


def _where(dataset: str, splits: Sequence[str], configs: Sequence[str]) -> str:
    where = f"dataset = {quote(dataset)}"
    if splits:
        where += f" AND split IN ({', '.join(map(quote, splits))})"
    if configs:
        where += f" AND config IN ({', '.join(map(quote, configs))})"
    return where


def _total(store: Store, expression: str, where: str) -> float:
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(connection, f"SELECT {expression} FROM samples_as_pulled WHERE {where}")
    return float(row[0] or 0) if row else 0.0


def settled(store: Store, dataset: str, ids: list[str], revision: str) -> bool:
    """Whether the store holds every one of these ids at this revision."""
    with connect(store, named_in="samples_as_pulled") as connection:
        row = first_row(
            connection,
            "SELECT count(*) FROM samples_as_pulled WHERE dataset = $1 AND revision = $2 AND list_contains($3, id)",
            [dataset, revision, ids],
        )
    return bool(row and row[0] == len(set(ids)))
