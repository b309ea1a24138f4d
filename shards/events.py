"""The account: per run and stage, `candidates = kept + dropped, by reason`.

Counts go into one row of the table `runs`; single `events` are written only for candidates that were not kept: one per
candidate, stage and reason, however often a run meets it again, so that a pull that was killed and resumed leaves the
same event log as an uninterrupted one. A stage whose account does not balance fails.
"""

from __future__ import annotations

import secrets
import socket
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import DamagedError
from .store.lock import user
from .store.store import Store, run_details
from .store.tables import EVENTS, RUNS
from .text import encodable

if TYPE_CHECKING:
    import pyarrow as pa

DUPLICATE = "duplicate"
WITHDRAWN = "withdrawn"
FILTERED = "filtered"
_NOTHING_WRONG = (DUPLICATE, WITHDRAWN, FILTERED)


@dataclass(slots=True)
class Account:
    """Where every candidate of one stage went.

    `dropped` maps a reason to a count; `duplicate` leaves no event, because the sample is already stored, and neither
    does `filtered`, because the user did not ask for it. `withdrawn_from` names the datasets from which withdrawn
    candidates had been removed.
    """

    candidates: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    withdrawn_from: list[str] = field(default_factory=list, repr=False)

    def keep(self, count: int = 1) -> None:
        self.candidates += count
        self.kept += count

    def drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.candidates += count
            self.dropped[reason] += count

    @property
    def withdrawn(self) -> int:
        """Number of candidates that were removed on request before."""
        return self.dropped[WITHDRAWN]

    @property
    def rejected(self) -> dict[str, int]:
        """Counts by reason of faulty candidates: without duplicates and without those left out on purpose."""
        return {reason: n for reason, n in sorted(self.dropped.items()) if reason not in _NOTHING_WRONG}

    def check_balance(self, *, stage: str) -> None:
        """Raise DamagedError if the account does not balance: a candidate was lost silently."""
        total = self.kept + sum(self.dropped.values())
        if total != self.candidates:
            raise DamagedError(
                f"{stage}: {self.candidates} candidates, but {self.kept} kept + "
                f"{sum(self.dropped.values())} dropped = {total}: the account does not balance."
            )


@dataclass(slots=True)
class Run:
    """One invocation that touched the store, for one dataset (or all) and stage."""

    stage: str
    dataset: str
    command: str
    options: Mapping[str, Any]
    run_id: str = field(default_factory=lambda: new_run_id())
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    account: Account = field(default_factory=Account)
    details: dict[str, Any] = field(default_factory=dict)

    def finish(self, store: Store, *, status: str = "ok") -> None:
        """Check the balance, write the row of `runs`, refresh `store.duckdb`."""
        from ..version import __version__
        from .store.rows_to_arrow import rows_to_table

        self.account.check_balance(stage=self.stage)
        row = {
            "run_id": self.run_id,
            "dataset": self.dataset,
            "stage": self.stage,
            "command": self.command,
            "status": status,
            "started_at": self.started_at,
            "finished_at": datetime.now(UTC),
            "candidates": self.account.candidates,
            "kept": self.account.kept,
            "dropped": sorted(self.account.dropped.items()),
            "options": run_details(self.options),
            "details": run_details(self.details),
            "versions": sorted(store.versions().items()),
            "software": f"triptych {__version__}",
            "user": user(),
            "host": socket.gethostname(),
        }
        store.append("runs", rows_to_table([row], RUNS))
        store.refresh()


def new_run_id() -> str:
    """Return a unique run id that sorts by time: `20261121T101500-3f9a2c`."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def event_row(
    run: Run, candidate: str, reason: str, detail: str, *, uri: str = "", stage: str | None = None
) -> dict[str, Any]:
    """Build one row of the table `events`."""
    return {
        "dataset": run.dataset,
        "run_id": run.run_id,
        "stage": stage or run.stage,
        "candidate": encodable(candidate),
        "reason": reason,
        "detail": encodable(detail),
        "uri": encodable(uri),
        "time": datetime.now(UTC),
    }


Note = tuple[str, str, str, str, datetime]
"""An event before it is written: candidate, reason, detail, URI, time. The run adds the other columns."""


def event_table(run: Run, notes: Sequence[Note]) -> pa.Table:
    """Build the rows of the table `events` for many candidates of one run."""
    import pyarrow as pa

    from .store.rows_to_arrow import values_to_array

    names = ("candidate", "reason", "detail", "uri", "time")
    columns: dict[str, Any] = {
        name: values_to_array(values, EVENTS.field(name).type)
        for name, values in zip(names, zip(*notes, strict=True), strict=True)
    }
    for name in ("dataset", "run_id", "stage"):
        columns[name] = pa.repeat(getattr(run, name), len(notes))
    return pa.Table.from_arrays([columns[name] for name in EVENTS.names], schema=EVENTS)
