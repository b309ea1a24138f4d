"""Readers of published, verified versions of exports: the only data that trainers read.

A reader exposes the version and its content hash, so that a training run can record what it was trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ...shards.exports import versions as exports
from ...shards.store.store import Store

if TYPE_CHECKING:
    import datasets

BATCH_ROWS = 1024


@dataclass(frozen=True, slots=True)
class ExportReader:
    """The rows of one version, in order."""

    version: exports.Version

    @classmethod
    def open(cls, reference: str, *, store: Store, verify: bool = True) -> ExportReader:
        """Open `NAME` (its latest version) or `NAME@vN`.

        Args:
            verify: Check files and media first and refuse a changed or incomplete export.

        Raises:
            UsageError: No such version, or it was withdrawn.
            DamagedError: The version differs from what was published.
        """
        version = exports.find(store, reference)
        if version.manifest.get("withdrawn"):
            raise UsageError(f"{version.reference} was withdrawn at {version.manifest['withdrawn']}.")
        problems = exports.verify(version, quick=True) if verify else []
        if problems:
            more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
            raise DamagedError(f"{version.reference}: {problems[0]}{more}", hint="publish it again: triptych export")
        return cls(version)

    def __len__(self) -> int:
        return int(self.version.manifest["rows"])

    @property
    def content_sha256(self) -> str:
        """The SHA-256 of the rows, equal for equal rows."""
        return str(self.version.manifest["content_sha256"])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield rows as dictionaries without null columns, read batch by batch."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.version.path / "data.parquet") as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for row in batch.to_pylist():
                    yield {name: value for name, value in row.items() if value is not None}

    def dataset(self) -> datasets.Dataset:
        """Return the rows as a typed Hugging Face dataset, without decoding media."""
        import datasets

        return datasets.Dataset.from_parquet(str(self.version.path / "data.parquet"))
