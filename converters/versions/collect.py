"""`exports gc`: delete the rows of old versions that can be made again; their manifests stay."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ...shards.exports import versions as exports
from ...shards.exports.collection import collect, left
from ...shards.query import connect
from ...shards.store.lock import locked
from ...shards.store.sql import first_row, quote
from ...shards.store.store import Store
from .rebuild import REMOVED, obstacle


@dataclass(slots=True)
class Collected:
    """What was (or would be) deleted.

    Attributes:
        versions: The versions whose rows are deleted, and the bytes of their files.
        kept: Versions that are old enough but stay -> why they could not be made again.
    """

    versions: dict[str, int] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(self.versions.values())


def collect_versions(
    store: Store, names: Sequence[str] = (), *, keep: int = 1, older_than_days: float = 7.0, dry_run: bool = False
) -> Collected:
    """Delete the rows of versions that are not among the newest of their export, and the copies of these versions.

    A version that could not be made again stays, and `kept` says why.

    Args:
        names: Exports; default: all.
        keep: How many versions of each export stay, from the newest.
        older_than_days: Younger versions stay.
    """
    result = Collected()
    limit = datetime.now(UTC) - timedelta(days=older_than_days)
    for name in names or exports.names(store):
        exports.find(store, name)
        with locked(store.root / "exports" / name / ".lock", purpose=f"collect {name}"):
            for version in _old(store, name, keep, limit):
                if (reason := obstacle(store, version) or _removed(store, version)) is not None:
                    result.kept[version.reference] = reason
                    continue
                result.versions[version.reference] = _size(version)
                copies = _copies(store, version)
                result.versions |= {copy.reference: _size(copy) for copy in copies}
                if not dry_run:
                    collect(version, datetime.now(UTC).isoformat(timespec="seconds"))
                    for copy in copies:
                        shutil.rmtree(copy.path)
    return result


def _removed(store: Store, version: exports.Version) -> str | None:
    """Why the rows of a version would not all come back though they can be made: samples of theirs were removed."""
    parquet = version.path / "data.parquet"
    if not parquet.is_file():
        return None
    with connect(store, named_in="samples") as connection:
        sample = exports.sample_column(connection, parquet)
        rows = f"read_parquet({quote(str(parquet))})"
        row = first_row(connection, f"SELECT count(*), min(r.{sample}) FROM {rows} r "
                                    f"ANTI JOIN samples s ON s.id = r.{sample}")  # fmt: skip
    return REMOVED.format(*row) if row and row[0] else None


def _old(store: Store, name: str, keep: int, limit: datetime) -> Iterator[exports.Version]:
    """Original versions with rows that are old enough, without the newest; and those that a killed command left."""
    labels = [label for label in exports.labels(store, name) if "-" not in label]
    for label in labels[: max(len(labels) - keep, 0)]:
        version = exports.load(store, name, label)
        if version.manifest.get("withdrawn"):
            continue
        if version.manifest.get("collected"):
            if left(version) or _copies(store, version):
                yield version
        elif datetime.fromisoformat(version.manifest["created_at"]) < limit:
            yield version


def _copies(store: Store, version: exports.Version) -> list[exports.Version]:
    """The relocated copies of a version, which can be made again from it."""
    labels = [label for label in exports.labels(store, version.name) if label.startswith(f"{version.label}-")]
    return [exports.load(store, version.name, label) for label in labels]


def _size(version: exports.Version) -> int:
    return sum(path.stat().st_size for path in version.path.rglob("*") if path.is_file())
