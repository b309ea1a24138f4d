"""Readers of published, verified versions of exports: the only data that trainers read.

A reader exposes the version and its content hash, so that a training run can record what it was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ...shards.care.verify import recorded_media
from ...shards.exports import versions as exports
from ...shards.exports.rows import read_rows
from ...shards.media.integrity import LinkedSums
from ...shards.store.store import Store

if TYPE_CHECKING:
    import datasets
    import polars as pl
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class ExportReader:
    """The rows of one version, in order.

    Attributes:
        linked: What its linked media were when they were linked, where the version was verified.
    """

    version: exports.Version
    linked: LinkedSums = field(default_factory=LinkedSums)

    @classmethod
    def open(cls, reference: str, *, store: Store, verify: bool = True) -> ExportReader:
        """Open `NAME` (its latest version) or `NAME@vN`.

        Args:
            verify: Check files and the sizes of media first, and refuse a changed or incomplete export.

        Raises:
            UsageError: No such version, or it was withdrawn.
            DamagedError: The version differs from what was published.
        """
        version = exports.find(store, reference)
        if exports.without_rows(version):
            exports.require_data(version)
        recorded = recorded_media(store, version) if verify else {}
        problems = exports.verify(version, quick=True, recorded=recorded) if verify else []
        if problems:
            more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
            raise DamagedError(f"{version.reference}: {problems[0]}{more}", hint="publish it again: triptych export")
        return cls(version, LinkedSums({
            path: expected.sha256 for path, expected in recorded.items() if expected.sha256 and Path(path).is_absolute()
        }))  # fmt: skip

    def __len__(self) -> int:
        return int(self.version.manifest["rows"])

    @property
    def content_sha256(self) -> str:
        """The SHA-256 of the rows, equal for equal rows."""
        return str(self.version.manifest["content_sha256"])

    def rows(self, *, ids: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Return the rows, or those of some ids, as dictionaries without null columns, read batch by batch."""
        return read_rows(self.parquet, ids=ids)

    @property
    def parquet(self) -> Path:
        return self.version.path / "data.parquet"

    def dataset(self) -> datasets.Dataset:
        """Return the rows as a typed Hugging Face dataset, without decoding media."""
        import datasets

        return datasets.Dataset.from_parquet(str(self.parquet))

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        import pyarrow.parquet as pq

        return pq.read_table(self.parquet)

    def frame(self) -> pl.DataFrame:
        """Return the rows as a Polars frame.

        Raises:
            UsageError: Polars is not installed.
        """
        try:
            import polars as pl
        except ImportError as error:
            raise UsageError("Polars is not installed.", hint="pip install 'triptych[frames]'") from error
        return pl.read_parquet(self.parquet)

    def rows_by_number(self) -> RowDataset:
        """Return the rows as a map-style dataset."""
        return RowDataset(self.dataset())


def require_exports(store: Store, *references: str | None) -> None:
    """Look exports up by their names, before seconds go into libraries of models and minutes into models.

    Raises:
        UsageError: One of them is not there, or was withdrawn.
        DamagedError: A file of one is missing.
    """
    for reference in references:
        if reference is not None:
            exports.require_data(exports.find(store, reference))


class RowDataset:
    """A map-style dataset, as `torch.utils.data.DataLoader` takes it: rows without null columns, from disk."""

    def __init__(self, rows: datasets.Dataset) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> dict[str, Any]:
        return {name: value for name, value in self._rows[number].items() if value is not None}


FORMS: dict[str, Callable[[ExportReader], Any]] = {
    "datasets": ExportReader.dataset,
    "arrow": ExportReader.table,
    "polars": ExportReader.frame,
    "torch": ExportReader.rows_by_number,
}
"""The forms in which an export can be opened."""
