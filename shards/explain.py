"""`triptych explain ID`: the history of one sample, from all tables and exports."""

from __future__ import annotations

from typing import Any

from ..errors import UsageError
from .annotate import near_ids
from .exports import versions as exports
from .query import connect
from .store.database import session
from .store.sql import first_row, quote
from .store.store import Store


def explain(store: Store, identity: str) -> dict[str, Any]:
    """Collect everything the store has about one sample or candidate, as plain values.

    Keys: `sample` (the row, None if it was never kept), `annotations`, `checks`, `verdict`, `events`, `exports`.

    Raises:
        UsageError: No sample and no event has this id.
    """
    with connect(store) as connection:

        def rows(sql: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist(maps_as_pydicts="lossy")
            return [{key: value for key, value in row.items() if value is not None} for row in found]

        is_this = f"id = {quote(identity)}"
        sample = rows(f"SELECT * FROM samples WHERE {is_this}")
        history: dict[str, Any] = {
            "id": identity,
            "sample": sample[0] if sample else None,
            "annotations": rows(f"SELECT key, value, producer, time FROM annotations WHERE {is_this} ORDER BY time"),
            "checks": rows(f"SELECT * EXCLUDE (id, dataset) FROM checks WHERE {is_this}"),
            "verdict": rows(f"SELECT verdict, reasons, rule_set, judged_at FROM verdicts WHERE {is_this}"),
            "events": rows(
                "SELECT time, stage, reason, detail, uri, run_id FROM events "
                f"WHERE candidate = {quote(identity)} ORDER BY time"
            ),
        }
    if history["sample"] is None and not history["events"]:
        raise UsageError(
            f"The store {store.root} has no sample and no event with the id {identity!r}.",
            hint=near_ids(store, identity),
        )
    history["exports"] = _exports(store, identity)
    return history


def _exports(store: Store, identity: str) -> list[str]:
    """Return the references of the versions that contain the sample."""

    found = []
    with session() as connection:
        for version in exports.all_versions(store):
            parquet = version.path / "data.parquet"
            if not parquet.is_file():
                continue
            sample = exports.sample_column(connection, parquet)
            if identity in exports.noise_samples(version) or first_row(
                connection,
                f"SELECT 1 FROM read_parquet({quote(str(parquet))}) WHERE {sample} = {quote(identity)} LIMIT 1",
            ):
                found.append(version.reference)
    return found
