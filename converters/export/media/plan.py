"""The media of each row to be made: what is cut from the corpus's files, taken out of videos, and changed.

A row's media is planned as a whole, so that its span, its channel, the sound of its video and a changed sound are those
of one clip: the sound of a span of a video is taken from the cut, and changed afterwards. What cannot be made as asked
has no row (`span_unsupported`, `channel_unsupported`, `sound_unsupported`, `longer_than_30_s`); it is never exported
with its whole file, or its own sound, instead.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ....shards.media.augment import Recipe
from ....shards.media.cut import CUT_RATE, Cut, augment_audio, cut_audio, cut_video, scaled_db
from ....shards.media.fence import fenced
from ....shards.media.media import MediaError
from ....shards.pace import Progress
from ....shards.store.rows_to_arrow import rows_to_table
from ....shards.store.sql import first_row
from ....shards.store.store import Store
from ..expand import IS_COPY
from .change import LONGEST_S, SoundChange
from .missing_media import MissingMedia
from .noise import NoiseSource

if TYPE_CHECKING:
    import duckdb

DERIVED = pa.schema(
    [(name, pa.string()) for name in ("dataset", "id", "audio_path", "video_path", "reason", "detail")]
    + [("frames", pa.int64()), ("rate", pa.int32()), ("channels", pa.int32()), ("zero_s", pa.float64())]
    + [("speed", pa.float64()), ("scaled_db", pa.float64()), ("noise", pa.list_(pa.string()))]
)
"""`frames`, `rate` and `channels` are of the sound that was made; `zero_s` (where it begins in the corpus's media) and
`speed` are there if it was changed."""
_THREADS = 2
_BATCH = 1024

_IS_PART = "(start_s IS NOT NULL OR end_s IS NOT NULL OR channel IS NOT NULL)"
_HAS_OTHERS = "(image IS NOT NULL OR more_media IS NOT NULL OR (audio IS NULL) = (video IS NULL))"
"""A span says of which medium it is only if there is one."""
_NEEDS_AUDIO = "(modality = 'mixed' AND audio IS NULL AND video.has_audio)"
_MORE_SOUND = "(len([1 FOR m IN more_media IF m.kind = 'audio']) > 0)"


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """What an export asks of the media of its rows.

    Attributes:
        include_rejected: Rejected samples have rows too.
        from_videos: The sound of videos is extracted.
        sound_only: Videos are left out, only their sound stays.
        change: What is done to sound; None: it stays as it is.
    """

    include_rejected: bool = False
    from_videos: bool = True
    sound_only: bool = False
    change: SoundChange | None = None
    noise: NoiseSource | None = None
    seed: int = 0


def derive_media(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    request: MediaRequest,
    missing: MissingMedia,
    progress: Progress | None = None,
) -> None:
    """Make the media that the rows to be made need and create the table `derived`; the view `parts` must exist.

    Rejected samples have no row unless they are asked for, so nothing is made for them. If anything is made, what is
    missing is waited for.
    """
    connection.register("derived_arrow", rows_to_table([], DERIVED))
    connection.execute("CREATE OR REPLACE TABLE derived AS SELECT * FROM derived_arrow")
    wanted = "true" if request.include_rejected else "verdict IS DISTINCT FROM 'reject'"
    needed = f"FROM parts WHERE part_outcome IS NULL AND {wanted} AND ({_needed(request)})"
    rows = connection.cursor().execute(
        f"SELECT dataset, id, start_s, end_s, channel, audio, video, speaker, {_HAS_OTHERS}, {_NEEDS_AUDIO}, "
        f"{_MORE_SOUND}, {IS_COPY} {needed}"
    )
    batch = rows.fetchmany(_BATCH)
    if not batch:
        return
    (total,) = first_row(connection, f"SELECT count(*) {needed}") or (0,)
    done = count(1)
    maker = _Maker(store, missing.wait(), request)
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch:
            results = []
            for made in pool.map(lambda row: maker.make(_Row(*row)), batch):
                results.append(made)
                if progress is not None:
                    progress(next(done), total)
            connection.register("derived_arrow", rows_to_table(results, DERIVED))
            connection.execute("INSERT INTO derived SELECT * FROM derived_arrow")
            batch = rows.fetchmany(_BATCH)


def _needed(request: MediaRequest) -> str:
    """SQL: something is made for the row, or has to be refused."""
    tests = [_IS_PART]
    if request.from_videos:
        tests.append(_NEEDS_AUDIO)
    if (change := request.change) is not None:
        tests += ["video.has_audio" if not request.from_videos else "false", _MORE_SOUND]
        if change.augments:
            tests.append(f"audio IS NOT NULL AND {IS_COPY if change.copies else 'true'}")
        if change.sample_rate is not None:
            tests.append(f"audio.sample_rate IS DISTINCT FROM {change.sample_rate} AND audio IS NOT NULL")
        if change.mono:
            tests.append("audio.channels IS DISTINCT FROM 1 AND audio IS NOT NULL")
    return " OR ".join(f"({test})" for test in tests)


_OF_ROWS = "rows r JOIN derived d ON r.id = d.id AND r._dataset = d.dataset WHERE r._outcome IS NULL"


def changed_rows(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Of the written rows: how many have changed sound, and how many of these were scaled down so that none clips."""
    counts = "count(d.speed), count(*) FILTER (d.scaled_db < 0)"
    row = first_row(connection, f"SELECT {counts} FROM {_OF_ROWS}")
    return dict(zip(("rows", "scaled_down"), row or (0, 0), strict=True))


def noise_samples(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The ids of the stored samples whose sound is in that of the written rows, as noise."""
    rows = connection.execute(f"SELECT DISTINCT unnest(d.noise) AS id FROM {_OF_ROWS} ORDER BY id").fetchall()
    return [str(identity) for (identity,) in rows]


@dataclass(frozen=True, slots=True)
class _Row:
    """The columns of a row that its media depends on."""

    dataset: str
    id: str
    start_s: float | None
    end_s: float | None
    channel: int | None
    audio: dict[str, Any] | None
    video: dict[str, Any] | None
    speaker: str | None
    has_others: bool
    needs_audio: bool
    has_more_sound: bool
    is_copy: bool

    @property
    def has_span(self) -> bool:
        return self.start_s is not None or self.end_s is not None

    @property
    def media(self) -> dict[str, Any]:
        """What a span and a channel are of."""
        found = self.audio if self.audio is not None else self.video
        assert found is not None
        return found


@dataclass(frozen=True, slots=True)
class _Maker:
    store: Store
    missing: set[str]
    request: MediaRequest

    def make(self, row: _Row) -> dict[str, Any]:
        """The row of `derived`."""
        result = dict.fromkeys(DERIVED.names) | {"dataset": row.dataset, "id": row.id}
        try:
            self._check(row)
            with fenced(row.media["path"], reason="undecodable", store=self.store.root):
                return result | self._made(row)
        except MediaError as error:
            return result | {"reason": error.reason, "detail": error.detail}

    def _check(self, row: _Row) -> None:
        if row.has_span and row.has_others:
            raise MediaError("span_unsupported", "")
        if row.channel is not None and (row.has_others or row.audio is None):
            raise MediaError("channel_unsupported", "")
        if (change := self._change_of(row)) is not None:
            _check_change(row, change, self.request)
        if row.media["path"] in self.missing:
            raise MediaError("missing_media", "")

    def _made(self, row: _Row) -> dict[str, Any]:
        made: dict[str, Any] = {}
        media = self.store.media
        cut = Cut(row.media["sha256"], media.absolute(row.media["path"]), row.start_s, row.end_s, row.channel)
        if row.video is not None and row.has_span:
            made["video_path"] = path = cut_video(media, cut)
            cut = Cut(PurePath(path).stem, media.absolute(path), None, None)
        takes_sound = row.audio is not None or (row.needs_audio and self.request.from_videos)
        if not takes_sound:
            return made
        change = self._change_of(row)
        if change is None:
            made["audio_path"] = path = cut_audio(media, cut)
            return made | _facts(media.absolute(path))
        return made | self._changed(row, cut, change)

    def _change_of(self, row: _Row) -> SoundChange | None:
        change = self.request.change
        return None if change is None else change.of_row(is_copy=row.is_copy)

    def _changed(self, row: _Row, cut: Cut, change: SoundChange) -> dict[str, Any]:
        media, sound = self.store.media, row.audio or {}
        rate = change.sample_rate or (CUT_RATE if change.augments or row.audio is None else sound["sample_rate"])
        recipe = change.recipe(self.request.seed, row.id)
        added = None
        if change.augments:
            _check_length(row, recipe)
            if (source := self.request.noise) is not None:
                added = source.noise_for(row.id, sha256=row.media["sha256"], speaker=row.speaker, rate=rate)
            path = augment_audio(media, cut, recipe, rate=rate, noise=added)
        else:
            path = cut_audio(media, cut, rate=rate, mono=change.mono or row.audio is None)
        facts = _facts(media.absolute(path))
        if change.speed is not None and facts["frames"] > LONGEST_S * facts["rate"]:
            raise _too_long(facts["frames"] / facts["rate"], recipe)
        return facts | {
            "audio_path": path,
            "zero_s": row.start_s or 0.0,
            "speed": recipe.speed,
            "scaled_db": scaled_db(media.absolute(path)),
            "noise": list(added.of) if added is not None else None,
        }


def _check_change(row: _Row, change: SoundChange, request: MediaRequest) -> None:
    """Raise MediaError `sound_unsupported` if the sound of the row cannot be changed as asked, all of it."""
    if row.has_more_sound:
        raise MediaError("sound_unsupported", "it has several sounds, of which only the first could be changed")
    if row.video is not None and not request.from_videos and row.video.get("has_audio"):
        raise MediaError("sound_unsupported", "its sound is in the video, which stays as it is: --av separate")
    if change.speed is not None and row.video is not None and not request.sound_only:
        raise MediaError("sound_unsupported", "at another speed its sound would no longer fit its picture")


def _check_length(row: _Row, recipe: Recipe) -> None:
    """Refuse what is far too long before it is decoded; what was made is measured."""
    length = row.media.get("duration") if not row.has_span else (row.end_s or 0.0) - (row.start_s or 0.0)
    if recipe.speed != 1.0 and length is not None and length / recipe.speed > LONGEST_S + 1:
        raise _too_long(length / recipe.speed, recipe)


def _too_long(seconds: float, recipe: Recipe) -> MediaError:
    return MediaError("longer_than_30_s", f"at speed {recipe.speed:g} it lasts {seconds:.2f} s")


def _facts(path: Path) -> dict[str, Any]:
    import soundfile

    found = soundfile.info(path)
    return {"frames": found.frames, "rate": found.samplerate, "channels": found.channels}


__all__: list[str] = ["MediaRequest", "changed_rows", "derive_media", "noise_samples"]
