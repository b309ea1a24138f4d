"""The journal of removals: what a removal is going to do is written before anything is done.

    STORE/pending/remove-<time>.json    one removal that is not finished

A removal that was killed is finished from its entry: by the next command that writes, by any other removal, or by
`store remove --resume`. Every step can be repeated. The entry holds ids and checksums, never texts, and is deleted at
the end, when the receipt is written.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import DamagedError
from ..store.lock import is_held, locked
from ..store.store import Store


@dataclass(slots=True)
class Intent:
    """One removal, from its selection on.

    Attributes:
        asked: The request, for the receipt: `where` only as its checksum, because it may name a person.
        samples: By dataset, the id of each sample and the checksums of media that no remaining sample names.
        speakers: By dataset, checksums of speakers whose later samples are refused too.
        earlier: By dataset, ids that were removed before and are purged now.
        exports: The versions that contain any of them, and how many.
        run_ids: By dataset, the run under which the removal is accounted.
        versions: The table versions before the removal.
        words: Speakers that only these samples have, to be erased from recorded requests.
        media: Media that only what is purged named; None before the purge begins.
        purged: What the purge deletes, counted before it is deleted.
    """

    name: str
    asked: dict[str, Any]
    reason: str
    purge: bool
    forget: bool
    samples: dict[str, list[tuple[str, str]]]
    speakers: dict[str, list[str]] = field(default_factory=dict)
    earlier: dict[str, list[str]] = field(default_factory=dict)
    exports: dict[str, int] = field(default_factory=dict)
    run_ids: dict[str, str] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    media: list[str] | None = None
    purged: dict[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        return {dataset: len(rows) for dataset, rows in self.samples.items()}

    @property
    def ids(self) -> dict[str, list[str]]:
        """By dataset, the samples that it is about, those removed before included."""
        return {
            dataset: [identity for identity, _ in self.samples.get(dataset, [])] + self.earlier.get(dataset, [])
            for dataset in sorted({*self.samples, *self.earlier})
        }

    def describe(self) -> str:
        """One line for `store status`."""
        what = "purge" if self.purge else "removal"
        datasets = ", ".join(self.ids) or "what was removed earlier"
        return f"{what} of {sum(self.counts.values()):,} samples ({datasets}), begun as {self.name}"


def new_name() -> str:
    return f"remove-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"


def digest_of(text: str | None) -> str | None:
    """The checksum under which a request is recorded: enough to tell equal ones, and it names nobody."""
    return None if text is None else "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write(store: Store, intent: Intent) -> None:
    """Write or rewrite an entry, atomically."""
    folder = _folder(store)
    folder.mkdir(exist_ok=True)
    scratch = folder / f".{intent.name}.{os.getpid()}"
    with scratch.open("w", encoding="utf-8") as file:
        json.dump(asdict(intent), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    scratch.rename(folder / f"{intent.name}.json")


def drop(store: Store, intent: Intent) -> None:
    (_folder(store) / f"{intent.name}.json").unlink(missing_ok=True)


def pending(store: Store) -> list[Intent]:
    """The removals that are not finished, the oldest first."""
    return [_read(path) for path in sorted(_folder(store).glob("remove-*.json"))]


def has_pending(store: Store) -> bool:
    return next(_folder(store).glob("remove-*.json"), None) is not None


@contextmanager
def one_at_a_time(store: Store) -> Iterator[None]:
    """One removal at a time: a second one waits, and finds nothing pending; half entries of killed ones go."""
    with locked(_lock(store), purpose="remove samples"):
        for left in _folder(store).glob(".*"):
            left.unlink()
        yield


def is_running(store: Store) -> bool:
    """Whether a process is at work on the journal right now."""
    return is_held(_lock(store))


def _read(path: Path) -> Intent:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        document["samples"] = {
            name: [(str(identity), str(media)) for identity, media in rows]
            for name, rows in document["samples"].items()
        }
        return Intent(**document)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(
            f"{path}: an unfinished removal that cannot be read: {error}.",
            hint="delete that file, then run the removal again: store remove ... --purge",
        ) from error


def _folder(store: Store) -> Path:
    return store.root / "pending"


def _lock(store: Store) -> Path:
    return store.root / ".locks" / "removal.lock"
