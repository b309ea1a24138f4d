"""Write annotations: one by one, or from a CSV with the columns id, key, value."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import UsageError, did_you_mean
from .events import DUPLICATE, Run
from .query import connect
from .store.annotations import COMPLETES, LATEST, annotation_row, check_value, unaccounted_sql
from .store.lock import user
from .store.rows_to_arrow import rows_to_table, values_to_array
from .store.store import Store
from .store.tables import ALL_DATASETS, ANNOTATIONS
from .text import has_surrogate


@dataclass(frozen=True, slots=True)
class Annotation:
    """One later fact about a sample; `where` is the file and line it came from, for messages.

    Without a value it clears the key: the value from the corpus counts again.
    """

    id: str
    key: str
    value: str | None
    where: str = "annotate"


def annotate(store: Store, annotations: Sequence[Annotation], *, producer: str | None = None) -> int:
    """Write all annotations in one commit, or none of them if one is invalid.

    Args:
        producer: Who or what made them: `user:NAME` by default, or a program and its version.

    Raises:
        UsageError: A sample does not exist, a value is not valid for its key, or a key to clear has no annotation; the
            message names the line.
    """
    for item in annotations:
        _check_encodable(item, producer or "")
    datasets = _datasets_of(store, annotations)
    now = datetime.now(UTC)
    rows = []
    for index, item in enumerate(annotations):
        value = item.value if item.value is None else check_value(item.key, item.value, where=item.where)
        # The latest annotation wins: within one call, each line is one microsecond later than the one before.
        time = now + timedelta(microseconds=index)
        rows.append(annotation_row(item.id, datasets[item.id], item.key, value, producer or f"user:{user()}", time))
    run = Run("annotate", _one_dataset(datasets.values()), "annotate", {"count": len(rows)}, started_at=now)
    written = _written_before(store, rows) if rows else None
    if written is not None:  # only the account is due
        run.details[COMPLETES] = [written, written + len(rows) - 1]
    elif rows:
        _require_annotated(store, [item for item in annotations if item.value is None])
        new = _changed(store, rows)
        run.account.drop(DUPLICATE, len(rows) - len(new))
        rows = new
        if rows:
            store.append("annotations", rows_to_table(rows, ANNOTATIONS))
    run.account.keep(len(rows))
    run.finish(store)
    return len(annotations)  # those that said so already count: they are in the store


def _changed(store: Store, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The annotations without those that say what the same producer's latest one says already."""
    if not store.has_rows("annotations"):
        return rows
    import pyarrow as pa

    last = {(row["id"], row["key"]): (row["value"], row["producer"]) for row in rows}
    wanted = pa.table({"id": values_to_array(sorted({identity for identity, _ in last}), pa.string())})
    with connect(store, named_in="annotations") as connection:
        connection.register("wanted", wanted)
        latest = connection.execute(
            f"SELECT id, key, {LATEST}, arg_max(producer, time) FROM annotations "
            "SEMI JOIN wanted USING (id) GROUP BY id, key"
        ).fetchall()
    held = {(identity, key): (value, producer) for identity, key, value, producer in latest}
    same = {place for place, said in last.items() if held.get(place) == said}
    return [row for row in rows if (row["id"], row["key"]) not in same]


def _written_before(store: Store, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """When a command that was killed before its account has written exactly these, in microseconds; None if none has.

    All annotations of a command are one commit, so its first one stands for it. It must be the latest of its key, and
    no run may account for it.
    """
    if not store.has_rows("annotations"):
        return None
    first, last = rows[0], rows[-1]
    with connect(store, named_in="annotations runs") as connection:
        found = connection.execute(
            f"""
            SELECT max(time)::VARCHAR, epoch_us(max(time)) FROM annotations a WHERE id = $1 AND key = $2 GROUP BY ALL
            HAVING {LATEST} IS NOT DISTINCT FROM $3 AND arg_max(producer, time) = $4
            AND {unaccounted_sql("annotate", "max(a.time)")}
            """,
            [first["id"], first["key"], first["value"], first["producer"]],
        ).fetchone()
        if found is None:
            return None
        count = connection.execute(
            "SELECT count(*) FROM annotations WHERE producer = $1 "
            "AND time BETWEEN $2::TIMESTAMPTZ AND $2::TIMESTAMPTZ + $3",
            [first["producer"], found[0], last["time"] - first["time"]],
        ).fetchone()
    return int(found[1]) if count is not None and count[0] == len(rows) else None


def annotations_of(
    given: str | PathLike[str] | Iterable[Any], key: str | None, value: Any, *, clear: bool
) -> list[Annotation]:
    """The annotations passed to a call: one by id, key and value; many facts; or a CSV file.

    Raises:
        UsageError: They do not have that shape.
    """
    if clear and value is not None:
        raise UsageError("annotate takes ID KEY with --clear, not a value.", hint="triptych annotate ID text --clear")
    read = clearing_of if clear else annotation_of
    if key is not None:
        if not isinstance(given, str) or (value is None and not clear):
            raise UsageError("annotate needs ID KEY VALUE.", hint='triptych annotate ID text "the corrected text"')
        return [read((given, key) if clear else (given, key, value), where="annotate")]
    if isinstance(given, str | PathLike):
        return read_annotations(Path(given), clear=clear)
    return [read(fact, where=f"annotation {number}") for number, fact in enumerate(given, start=1)]


def annotation_of(fact: Sequence[Any] | Mapping[str, Any], *, where: str) -> Annotation:
    """Convert a fact passed from Python, (id, key, value) or a mapping of these; values other than text become JSON.

    Raises:
        UsageError: It does not have that shape; the message names it.
    """
    if isinstance(fact, Mapping):
        fact = [fact.get(name) for name in ("id", "key", "value")]
    if len(fact) != 3 or not isinstance(fact[0], str) or not isinstance(fact[1], str) or fact[2] is None:
        raise UsageError(f"{where}: expected (id, key, value), got {fact!r}.")
    identity, key, value = fact
    if isinstance(value, str):
        return Annotation(identity, key, value, where)
    if hasattr(value, "tolist"):
        # A NumPy scalar or array.
        value = value.tolist()
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {key}={value!r}: expected text, a number or a list: {error}.") from None
    return Annotation(identity, key, text, where)


def clearing_of(fact: Sequence[Any] | Mapping[str, Any], *, where: str) -> Annotation:
    """Convert a fact passed from Python, (id, key, ...) or a mapping with these, to one that clears the key.

    Raises:
        UsageError: It does not have that shape; the message names it.
    """
    if isinstance(fact, Mapping):
        fact = [fact.get(name) for name in ("id", "key")]
    if len(fact) < 2 or not isinstance(fact[0], str) or not isinstance(fact[1], str):
        raise UsageError(f"{where}: expected (id, key), got {fact!r}.")
    return Annotation(fact[0], fact[1], None, where)


def _require_annotated(store: Store, clearings: Sequence[Annotation]) -> None:
    """Raise UsageError if a key to clear has no annotation."""
    if not clearings:
        return
    import pyarrow as pa

    wanted = pa.table({"id": values_to_array(sorted({item.id for item in clearings}), pa.string())})
    with connect(store, named_in="annotations") as connection:
        connection.register("wanted", wanted)
        rows = connection.execute(
            f"SELECT id, key FROM annotations SEMI JOIN wanted USING (id) GROUP BY id, key HAVING {LATEST} IS NOT NULL"
        ).fetchall()
    known = {(str(identity), str(key)) for identity, key in rows}
    for item in clearings:
        if (item.id, item.key) not in known:
            has = sorted(key for identity, key in known if identity == item.id)
            raise UsageError(
                f"{item.where}: {item.id} has no annotation {item.key!r} to clear. "
                f"Annotations: {', '.join(has) or 'none'}.",
                hint=did_you_mean(item.key, has),
            )


def _check_encodable(item: Annotation, producer: str) -> None:
    for name, text in (("id", item.id), ("key", item.key), ("value", item.value), ("producer", producer)):
        if text is not None and has_surrogate(text):
            raise UsageError(f"{item.where}: the {name} {text!r} contains an unpaired surrogate (invalid Unicode).")


def _one_dataset(datasets: Iterable[str]) -> str:
    names = set(datasets)
    return names.pop() if len(names) == 1 else ALL_DATASETS


def _datasets_of(store: Store, annotations: Sequence[Annotation]) -> dict[str, str]:
    """Map the id of every annotated sample to its dataset; unknown ids are an error."""
    import pyarrow as pa

    wanted = pa.table({"id": values_to_array(sorted({item.id for item in annotations}), pa.string())})
    with connect(store) as connection:
        connection.register("wanted", wanted)
        rows = connection.execute(
            "SELECT s.id, s.dataset FROM samples_as_pulled s SEMI JOIN wanted USING (id)"
        ).fetchall()
    found = {str(identity): str(dataset) for identity, dataset in rows}
    for item in annotations:
        if item.id not in found:
            raise UsageError(f"{item.where}: the store has no sample {item.id!r}.", hint=near_ids(store, item.id))
    return found


def near_ids(store: Store, identity: str) -> str | None:
    """Return a hint with stored ids similar to this one."""
    with connect(store) as connection:
        tail = identity.rsplit("/", 1)[-1]
        rows = connection.execute(
            "SELECT id FROM samples_as_pulled "
            "WHERE id LIKE '%' || $1 || '%' OR dataset = split_part($2, '/', 1) LIMIT 5000",
            [tail, identity],
        ).fetchall()
    near = difflib.get_close_matches(identity, [str(row[0]) for row in rows], n=2, cutoff=0.5)
    return (
        f"did you mean {' or '.join(near)}?" if near else 'list ids: triptych query "select id from samples limit 10"'
    )


def read_annotations(path: Path, *, clear: bool = False) -> list[Annotation]:
    """Read annotations from a CSV with the columns id, key, value; to clear keys, id and key.

    Raises:
        UsageError: The file or a row does not have that shape; the message names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = ("id", "key") if clear else ("id", "key", "value")
            missing = set(columns) - set(reader.fieldnames or [])
            if missing:
                raise UsageError(
                    f"{path}: no column {' or '.join(sorted(missing))}; it has {', '.join(reader.fieldnames or [])}.",
                    hint=f"the first line is: {','.join(columns)}",
                )
            return [_row(row, f"{path}:{reader.line_num}", clear=clear) for row in reader]
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file.") from None
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder, not a CSV file.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error


def _row(row: dict[str | None, str | None], where: str, *, clear: bool) -> Annotation:
    identity, key, value = (row.get(name) for name in ("id", "key", "value"))
    if clear:
        if not identity or not key:
            raise UsageError(f"{where}: id and key are required, got {identity!r}, {key!r}.")
        return Annotation(identity, key, None, where)
    if not identity or not key or value is None:
        raise UsageError(f"{where}: id, key and value are required, got {identity!r}, {key!r}, {value!r}.")
    return Annotation(identity, key, value, where)
