"""The rows on which experts are scored, source by source, in the order in which they stand.

A source is an export (`NAME` or `NAME@vN`) or a file of rows in JSON Lines. Of an export of the view `calibration`, or
of any rows with a column `modality`, those of the source's modality are read. What a row is made of must be what its
source is for: a row without a video would make the experts of video look useless.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DamagedError, UsageError, amount
from ....shards.exports.versions import Version
from ....shards.split_roles import is_held_out
from ....shards.store.store import Store
from ...data.bad_rows import BadRow
from ...data.row_turns import form_of, row_of
from ...data.training_row import TrainingRow
from ...data.training_rows import TrainingRows
from ...data.turns import Clip, Picture, Video
from .expert_sums import AUDIO, MIXED, MODALITIES, TEXT, VIDEO, Stratum
from .export_command import export_command, name_of

OTHER = "other"
"""The dataset and the task of rows that do not say them."""
IMAGE = "image"
"""A modality that rows may have and that nothing is calibrated on."""
_ALLOW = "--allow-held-out"
_SAYS = {TEXT: "text alone", AUDIO: "sound and no picture", VIDEO: "pictures and no sound", MIXED: "both"}


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """A row of a source.

    Attributes:
        number: Its place among the rows of its source that were looked at, from 0.
        row: As a model reads it; None: it is a bad row.
        bad: Why it cannot be read.
    """

    number: int
    id: str
    stratum: Stratum
    row: TrainingRow | None
    bad: BadRow | None = None


@dataclass(slots=True, eq=False)
class Source:
    """Rows of one modality.

    Attributes:
        modality: `text`, `audio`, `video` or `mixed`.
        name: The export or file, for messages.
        sha256: Of its content.
    """

    modality: str
    name: str
    sha256: str
    _export: TrainingRows | None = None
    _file: Path | None = None
    _sound_in_videos: bool = False
    _allow_held_out: bool = False

    @classmethod
    def open(cls, modality: str, named: str, *, store: Store | Path | str | None, allow_held_out: bool) -> Source:
        """Open an export or a file.

        Raises:
            UsageError: There is no such export or file, or it has no rows of the modality.
            DamagedError: The export differs from what was published.
        """
        path = Path(named).expanduser()
        if path.is_file() or path.suffix in (".json", ".jsonl"):
            source = cls._of_file(modality, path, allow_held_out=allow_held_out)
        else:
            rows = TrainingRows.open(named, store=store, allow_held_out=allow_held_out, flag=_ALLOW)
            source = cls(modality, rows.where, rows.reader.content_sha256, rows)
        first = next(source._values(), None)
        if first is None:
            flag = f"--{modality} {named}"
            raise UsageError(
                f"{flag}: it has no rows of the modality {modality}.",
                hint=f"{export_command(modality)}, and --{modality} {name_of(modality)}; or leave --{modality} out",
            )
        return source

    @classmethod
    def _of_file(cls, modality: str, path: Path, *, allow_held_out: bool) -> Source:
        if not path.is_file():
            raise UsageError(f"--{modality} {path}: there is no such file.")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1024 * 1024):
                digest.update(block)
        told = _manifest_beside(path)
        held_out, sounds = told.get("held_out_rows"), told.get("sound_of_videos")
        if isinstance(held_out, int) and held_out and not allow_held_out:
            raise UsageError(
                f"--{modality} {path}: {amount(held_out, 'row', 'are')} of validation or test splits.",
                hint=f"export it again with --split train; to take them: {_ALLOW}",
            )
        in_video = isinstance(sounds, dict) and bool(sounds.get("in-video"))
        return cls(modality, str(path), digest.hexdigest(), None, path, in_video, allow_held_out)

    @property
    def version(self) -> Version | None:
        """The version of the export; None: it is a file."""
        return None if self._export is None else self._export.reader.version

    def rows(self, *, start: int = 0, stop: int | None = None) -> Iterator[CalibrationRow]:
        """The rows from one place to another.

        Raises:
            DamagedError: A line of a file is no row.
        """
        for number, (values, place) in enumerate(self._values()):
            if stop is not None and number >= stop:
                return
            if number >= start:
                yield self._row(number, values, place)

    def _values(self) -> Iterator[tuple[dict[str, Any], int]]:
        """The columns of each row of the modality, and its line."""
        for values, place in self._lines():
            modality = values.get("modality", self.modality)
            if modality == self.modality:
                yield values, place
            elif self._file is not None and modality not in (*MODALITIES, IMAGE):
                raise DamagedError(
                    f"{self._file}:{place + 1}: column modality: expected {', '.join(MODALITIES)}, got {modality!r}.",
                    hint="correct it, or remove the column: then every row is read",
                )

    def _lines(self) -> Iterator[tuple[dict[str, Any], int]]:
        if self._export is not None:
            for number in range(len(self._export)):
                yield self._export.values(number), number
            return
        assert self._file is not None
        with self._file.open("rb") as file:
            for place, line in enumerate(file):
                if not line.strip():
                    continue
                try:
                    values = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DamagedError(f"{self._file}:{place + 1}: invalid JSON: {error}.") from error
                if not isinstance(values, dict):
                    raise DamagedError(f"{self._file}:{place + 1}: expected an object, got {type(values).__name__}.")
                yield {name: value for name, value in values.items() if value is not None}, place

    def _row(self, number: int, values: dict[str, Any], place: int) -> CalibrationRow:
        values = {"id": f"{Path(self.name).name}:{place + 1}", **values}
        identity = str(values["id"])
        stratum = self._stratum(values)
        try:
            row = self._export[place] if self._export is not None else self._read(values)
            if (found := modality_of(row)) != self.modality:
                raise BadRow("other_modality", f"--{self.modality} is for {_SAYS[self.modality]}; the row has "
                                               f"{_SAYS[found]}")  # fmt: skip
        except BadRow as bad:
            return CalibrationRow(number, identity, stratum, None, bad)
        return CalibrationRow(number, identity, stratum, row)

    def _read(self, values: Mapping[str, Any]) -> TrainingRow:
        split = values.get("split")
        if isinstance(split, str) and is_held_out(split) and not self._allow_held_out:
            raise BadRow("held_out", f"column split: {split}: what a model is tested on must not choose its experts;"
                                     f" to take it: {_ALLOW}")  # fmt: skip
        form = form_of(set(values))
        if form is None:
            raise BadRow("no_conversation", f"columns {', '.join(values)}: it is no conversation with an answer")
        return row_of(values, form, where=self.name, sound_in_videos=self._sound_in_videos)

    def _stratum(self, values: Mapping[str, Any]) -> Stratum:
        def named(column: str, default: str) -> str:
            value = values.get(column)
            return value if isinstance(value, str) and value else default

        return Stratum(self.modality, named("dataset", OTHER), named("language", "und"), named("task", OTHER))


def _manifest_beside(path: Path) -> dict[str, Any]:
    """What the export says that a file is of; nothing, if it is of none.

    Raises:
        DamagedError: It cannot be read.
    """
    manifest = path.parent / "manifest.json"
    if not manifest.is_file():
        return {}
    try:
        told = json.loads(manifest.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{manifest}: invalid JSON: {error}.", hint=f"copy {path.name} elsewhere") from error
    return told if isinstance(told, dict) else {}


def modality_of(row: TrainingRow) -> str:
    """What a row is made of."""
    is_heard = any(isinstance(each, Clip) or (isinstance(each, Video) and each.with_sound) for each in row.media)
    is_seen = any(isinstance(each, Video | Picture) for each in row.media)
    if is_heard and is_seen:
        return MIXED
    return AUDIO if is_heard else VIDEO if is_seen else TEXT
