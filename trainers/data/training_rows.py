"""The rows of a published version that a model is trained on: read one by one where they are asked for.

A version is verified once, when it is opened. Rows are lines of `data.jsonl`, found by their place in the file, so a
million of them take eight megabytes. They travel to worker processes as the path and those places; each process maps
the file for itself.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ...errors import DamagedError, UsageError
from ...shards.exports.versions import Version, columns
from ...shards.store.store import Store
from ...shards.store.use import using
from .exports import ExportReader
from .row_turns import form_of, row_of
from .training_row import TrainingRow as TrainingRow
from .turns import with_sums

if TYPE_CHECKING:
    import numpy as np

    Places = np.ndarray[Any, np.dtype[np.int64]]

_BLOCK = 16 * 1024 * 1024
_CONVERSATIONS = "triptych export msswift --task sft; or conversation, messages --style trl --task sft, cot, preference"
_LABELLED = ("rows have labels of single answers", "triptych export msswift --task dpo")
_WITHOUT_ANSWER = {
    "solution": (
        "rows end with the question: rewards score what a model answers",
        "triptych export msswift --task sft",
    ),
    "label": _LABELLED,
    "kto_tag": _LABELLED,
}
"""Columns of rows that look like conversations and are for other trainers."""


class TrainingRows(Sequence[TrainingRow]):
    """The rows of one version.

    Attributes:
        reader: The version, with the hash of its content.
    """

    def __init__(self, reader: ExportReader) -> None:
        """Use `open`: it verifies the version, and refuses what must not be trained on."""
        version = reader.version
        names = columns(version)
        form = form_of(names)
        _check_form(version, names, is_read=form is not None)
        assert form is not None
        self.reader = reader
        self._form = form
        options = version.manifest.get("options") or {}
        self._is_pretraining = options.get("task") == "pretrain"
        self._sound_in_videos = bool((version.manifest.get("sound_of_videos") or {}).get("in-video"))
        self._places = _lines_of(version.data)
        if len(self._places) - 1 != len(reader):
            raise DamagedError(
                f"{version.data}: {len(self._places) - 1:,} lines, but {len(reader):,} rows were published.",
                hint=f"triptych exports verify {version.reference}",
            )
        self._file: mmap.mmap | None = None

    @classmethod
    def open(
        cls,
        reference: str,
        *,
        store: Store | Path | str | None = None,
        allow_held_out: bool = False,
        flag: str = "--set data.allow_held_out=true",
    ) -> TrainingRows:
        """Open `NAME` (its latest version) or `NAME@vN`.

        Args:
            store: A store or its path; default: `TRIPTYCH_STORE`, else `./store`.
            allow_held_out: Take rows of validation and test splits: to measure a loss on them, not to train.
            flag: What to type to take them, for messages.

        Raises:
            UsageError: No such version; it was withdrawn; its rows are no conversations; it has held-out rows.
            DamagedError: The version differs from what was published.
        """
        with using(store if isinstance(store, Store) else Store.open(store), "train") as opened:
            reader = ExportReader.open(reference, store=opened)
        held_out = int(reader.version.manifest.get("held_out_rows") or 0)
        if held_out and not allow_held_out:
            raise UsageError(
                f"{reader.version.reference}: {held_out:,} of {len(reader):,} rows are of validation or test splits.",
                hint=f"export it again with --split train; to take them: {flag}",
            )
        return cls(reader)

    @property
    def where(self) -> str:
        return self.reader.version.reference

    def __len__(self) -> int:
        return len(self._places) - 1

    @overload
    def __getitem__(self, number: int) -> TrainingRow: ...
    @overload
    def __getitem__(self, number: slice) -> list[TrainingRow]: ...
    def __getitem__(self, number: int | slice) -> TrainingRow | list[TrainingRow]:
        """Read a row.

        Raises:
            BadRow: It cannot be trained on.
        """
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        row = row_of(
            self.values(number),
            self._form,
            where=self.where,
            sound_in_videos=self._sound_in_videos,
            is_pretraining=self._is_pretraining,
        )
        linked = self.reader.linked
        return replace(row, turns=with_sums(row.turns, linked)) if linked else row

    def values(self, number: int) -> dict[str, Any]:
        """The columns of a row that are not null, as published."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"{self.where} has {len(self)} rows; there is no row {number}")
        number %= len(self)
        if self._file is None:
            with self.reader.version.data.open("rb") as file:
                self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        line = self._file[int(self._places[number]) : int(self._places[number + 1])]
        return {name: value for name, value in json.loads(line).items() if value is not None}

    def id_of(self, number: int) -> str:
        return str(self.values(number)["id"])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def trainer_of(version: Version) -> str | None:
    """The trainer here that a version is for, as `triptych train` names it; None: there is none, or its rows are held
    out, for tests or for calibration."""
    names, manifest = set(columns(version)), version.manifest
    view, is_held_out = manifest.get("view"), bool(manifest.get("held_out_rows"))
    if view == "term-chunks":  # its test rows are those that it is measured on
        return "contrastive"
    if is_held_out or view in ("evaluation", "calibration"):
        return None
    if view == "phoneme":
        return "phoneme"
    if form_of(names) is None or "id" not in names or names & _WITHOUT_ANSWER.keys():
        return None
    return "dpo" if names & {"rejected", "rejected_response"} else "sft"


def _check_form(version: Version, names: list[str], *, is_read: bool) -> None:
    view = version.manifest.get("view")
    for column, (why, instead) in _WITHOUT_ANSWER.items():
        if column in names:
            raise UsageError(f"{version.reference} ({view}): {why} (column {column}).", hint=instead)
    if not is_read or "id" not in names:
        raise UsageError(
            f"{version.reference} ({view}): its rows are no conversations: columns {', '.join(names)}.",
            hint=_CONVERSATIONS,
        )


def _lines_of(path: Path) -> Places:
    """Where each line begins, and where the last one ends."""
    import numpy as np

    found, place, last = [np.zeros(1, np.int64)], 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            found.append(ends.astype(np.int64) + place + 1)
            place, last = place + len(block), block[-1:]
    if last != b"\n":
        found.append(np.array([place], np.int64))
    return np.concatenate(found)
