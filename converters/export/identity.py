"""A snapshot of the store for one export, and the key by which equal exports are recognized.

All tables are opened once, so that the rows come from exactly the files that the identity names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ...errors import ProblemsFound, UsageError, did_you_mean
from ...shards.budgets import FORMULAS
from ...shards.media.augment import AUGMENT_FORM
from ...shards.media.cut import CUT_FORM, VIDEO_FORM
from ...shards.store.store import Store
from ...shards.store.views import live_files, make_views, view_statements
from ...shards.store_format import TABLE_NAMES
from .media.change import SoundChange
from .media.noise import fingerprint_of
from .request import Request
from .select import CorpusFacts, describe

if TYPE_CHECKING:
    import duckdb
    from deltalake import DeltaTable

_READ = ("samples", "verdicts", "annotations", "runs")
_KEYED_TABLES = ("samples", "verdicts", "annotations", "checks")
_FEW_ROWS, _FEW_BYTES = 5_000, 8 << 20
"""Of the files of `samples`: what DuckDB holds of them beside the rows that are made of them."""


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """A store at one moment: its tables, and a DuckDB connection with views over them."""

    store: Store
    tables: dict[str, DeltaTable]
    connection: duckdb.DuckDBPyConnection

    @classmethod
    @contextmanager
    def of(
        cls, store: Store, *, versions: Mapping[str, int] | None = None, until: str | None = None
    ) -> Iterator[StoreSnapshot]:
        """The store as it is, or with the tables as of these versions and the runs that finished until a time (UTC).

        Raises:
            DamagedError: A table no longer has that version.
        """
        import duckdb

        old = versions or {}
        tables = {
            name: store.open_table(name, version=old[name]) if name in old else store.table(name)
            for name in TABLE_NAMES
        }
        with duckdb.connect(":memory:") as connection:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")  # of its cursors, too, which media is cut by
            annotated = bool(tables["annotations"].file_uris())
            make_views(connection, view_statements(tables.__getitem__, annotated=annotated, names=_READ, until=until))
            yield cls(store, tables, connection)

    @property
    def versions(self) -> dict[str, int]:
        """The version of every table except `runs`, whose rows contain these versions."""
        return {name: table.version() for name, table in self.tables.items() if name != "runs"}

    def files(self, table: str, datasets: Sequence[str]) -> list[str]:
        """The files of a table's partitions, relative to the store."""
        files = [file.relative_to(self.store.root) for file in live_files(self.tables[table])]
        partitions = {f"dataset={dataset}" for dataset in datasets}
        return sorted(str(file) for file in files if not partitions or file.parent.name in partitions)

    def has_few_samples(self, datasets: Sequence[str]) -> bool:
        """Whether the samples of these datasets (default: all) are so few that they can be held as a table."""
        read = [file for file in self.sample_files() if not datasets or file["partition.dataset"] in datasets]
        counted = all(file["num_records"] is not None for file in read)
        return (
            counted
            and sum(file["num_records"] for file in read) <= _FEW_ROWS
            and sum(file["size_bytes"] for file in read) <= _FEW_BYTES
        )

    def sample_files(self) -> list[dict[str, Any]]:
        """What the log says of the files of `samples`: `partition.dataset`, `num_records`, `size_bytes`."""
        files = self.tables["samples"].get_add_actions(flatten=True)
        return list(files.select(["partition.dataset", "num_records", "size_bytes"]).to_struct_array().to_pylist())


def check_datasets(snapshot: StoreSnapshot, request: Request) -> None:
    """Raise an error if the store is empty or does not contain a requested dataset."""
    known = sorted({str(file["partition.dataset"]) for file in snapshot.sample_files() if file["num_records"] != 0})
    if not known:
        raise ProblemsFound(
            f"The store {snapshot.store.root} contains no samples.",
            hint="triptych catalog pull NAME, or triptych import csv FILE",
        )
    asked = [(name, "") for name in request.selection.datasets if request.composition.mix is None]
    asked += [(name, f"--mix {request.composition.mix}: ") for name in request.composition.mix or ()]
    for dataset, option in asked:
        if dataset not in known:
            raise UsageError(
                f"{option}The store has no dataset {dataset!r}. Datasets: {', '.join(known)}.",
                hint=did_you_mean(dataset, known),
            )


def identity_of(snapshot: StoreSnapshot, request: Request, facts: CorpusFacts) -> str:
    """The key of an export: a hash of everything that its rows can depend on."""
    view = request.view
    own = {} if view.built_in else {"view_sql": _sum(view.sql)}
    identity = {
        "view": view.name,
        "style": view.style,
        "view_revision": view.revision,
        **own,
        "options": asdict(request.options),
        "selection": describe(request.selection),
        "order": request.order,
        "seed": request.seed,
        **({"composition": request.composition.asked()} if request.composition.is_set else {}),
        "media_root": request.media_root,
        "cut_form": [CUT_FORM, VIDEO_FORM],
        **({} if request.sound is None else _sound(snapshot, request.sound)),
        "corpus": asdict(facts),
        **({"limits": request.limits.identity(), "formulas": _sum(FORMULAS)} if request.limits else {}),
        "files": {name: snapshot.files(name, request.selection.datasets) for name in _KEYED_TABLES},
        "others": [snapshot.files(name, ()) for name in ("samples", "annotations")],  # a test set may come or move
    }
    return _sum(json.dumps(identity, sort_keys=True))


def _sound(snapshot: StoreSnapshot, change: SoundChange) -> dict[str, object]:
    """What changed sound depends on beside the samples: how it is made, the noise, and what was rejected of that."""
    return {
        "sound": asdict(change),
        "augment_form": AUGMENT_FORM,
        "noise_files": fingerprint_of(change.noise),
        "noise_verdicts": snapshot.files("verdicts", ()) if change.noise is not None else [],
    }


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
