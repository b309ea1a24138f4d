"""Where noise comes from: `white`, `pink`, `babble`, the clips of a dataset, or the files of a folder.

Noise for a row is chosen by hash of the seed and the row's id among all clips, in the order of their names; so is the
second at which it begins. It is never of a validation or test split: a sound that a model is tested with must not be in
what it is trained on. Babble is four voices of other speakers than the row's. A clip that cannot be decoded, or is
silent, is skipped for the next. The manifest names the samples that were used (`noise_samples`): a withdrawal of one
finds the version.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import UsageError, did_you_mean
from ....shards.media.augment import babble, pink_noise, rms, white_noise
from ....shards.media.cut import Cut, Noise, decode_cut
from ....shards.media.fence import fenced
from ....shards.media.media import MediaError, hash_file
from ....shards.media.probe import probe
from ....shards.split_roles import card_roles, read_corpora, role_sql
from ....shards.store.sql import quote
from ....shards.store.store import Store
from ...files.tree import is_media
from .change import number_of

if TYPE_CHECKING:
    import duckdb
    import numpy as np

log = logging.getLogger("triptych")

WHITE, PINK, BABBLE = MADE = ("white", "pink", "babble")
NOT_SPOKEN = (WHITE, PINK)
VOICES = 4
_SPOKEN = ("asr", "s2tt", "tts", "phoneme", "speaker")
MOST_CLIPS = 1_000
"""Of more clips so many are drawn, by hash: a manifest names those that were used, so that a withdrawal finds it."""

_TRIES = 64
_LONGEST_S = 60.0
"""So much of a noise clip is used: the rest would only take time to decode."""
_CACHED = 32


@dataclass(frozen=True, slots=True)
class NoiseClip:
    """One clip to take noise from.

    Attributes:
        sha256: Of a file of a folder it is found when that is first used.
        stamp: Size and time of a file of a folder, which may change while this process runs.
    """

    name: str
    path: Path
    sha256: str = ""
    speaker: str | None = None
    stamp: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """The noise of one export.

    Attributes:
        clips: In the order of their names; empty for noise that is made.
    """

    kind: str
    seed: int
    clips: tuple[NoiseClip, ...] = ()

    def noise_for(self, row: str, *, sha256: str, speaker: str | None, rate: int) -> Noise:
        """The noise of one row, whose own sound is `sha256`.

        Raises:
            MediaError: `no_noise`: no clip that was tried can be used.
        """
        text = f"{self.seed}:{row}"
        if self.kind in (WHITE, PINK):
            make = white_noise if self.kind == WHITE else pink_noise
            return Noise(f"{self.kind} {text}", lambda length, rate: make(length, text))
        wanted = VOICES if self.kind == BABBLE else 1
        found = self._found(text, wanted, sha256, speaker if self.kind == BABBLE else None, rate)
        starts = [number_of(f"{text}:start {number}") for number in range(wanted)]
        key = ", ".join(f"{_digest(clip)}+{start}" for clip, start in zip(found, starts, strict=True))

        def samples(length: int, rate: int) -> np.ndarray:
            import numpy as np

            voices = [np.roll(_decoded(clip, rate), -start) for clip, start in zip(found, starts, strict=True)]
            return babble(voices, length) if self.kind == BABBLE else np.resize(voices[0], length)

        sources = tuple(clip.name for clip in found if clip.sha256)
        return Noise(f"{self.kind if self.kind == BABBLE else 'clip'} {key}", samples, sources)

    def _found(self, text: str, wanted: int, own: str, speaker: str | None, rate: int) -> list[NoiseClip]:
        """Clips that can be used, none of them twice; of babble, one a speaker, and not the row's."""
        found: list[NoiseClip] = []
        speakers = {speaker} - {None}
        for clip in self._drawn(text):
            if clip in found or _digest(clip) == own or (self.kind == BABBLE and clip.speaker in speakers):
                continue
            if not _is_usable(clip, rate):
                continue
            found.append(clip)
            speakers |= {clip.speaker} - {None}
            if len(found) == wanted:
                return found
        raise MediaError("no_noise", f"no {self.kind} for {text}: none of the clips that were tried can be used")

    def _drawn(self, text: str) -> Iterator[NoiseClip]:
        """Clips in the order of a draw: all of them if they are few."""
        if len(self.clips) <= _TRIES:
            yield from sorted(self.clips, key=lambda clip: number_of(f"{text}:{clip.name}"))
            return
        for number in range(_TRIES):
            yield self.clips[number_of(f"{text}:noise {number}") % len(self.clips)]


def _is_usable(clip: NoiseClip, rate: int) -> bool:
    try:
        return rms(_decoded(clip, rate)) > 0
    except MediaError:
        return False


@lru_cache(maxsize=_CACHED)
def _decoded(clip: NoiseClip, rate: int) -> np.ndarray:
    with fenced(clip.name, reason="undecodable"):
        seconds = probe(clip.path, kind="audio").fields.get("duration")
        end_s = _LONGEST_S if seconds is not None and seconds > _LONGEST_S + 1 else None
        samples = decode_cut(Cut(clip.sha256, clip.path, None, end_s), rate=rate)
    return samples[: round(_LONGEST_S * rate)]


@lru_cache(maxsize=4096)
def _digest(clip: NoiseClip) -> str:
    return clip.sha256 or hash_file(clip.path)[0]


# ---- the sources


def noise_source(store: Store, connection: duckdb.DuckDBPyConnection, source: str, *, seed: int) -> NoiseSource:
    """The source that `--noise` names; for `babble` the view `chosen` must exist.

    Raises:
        UsageError: There is no such dataset or folder, or it has no clip that may be used.
    """
    if source in (WHITE, PINK):
        return NoiseSource(source, seed)
    if source == BABBLE:
        clips = _voices(store, connection)
        if len({clip.speaker or clip.name for clip in clips}) <= VOICES:
            raise UsageError(
                f"--noise babble: it needs speech of {VOICES + 1} speakers outside validation and test splits; the "
                f"chosen datasets have {len(clips)} such clips.",
                hint="--noise pink",
            )
        return NoiseSource(BABBLE, seed, tuple(clips))
    if "/" in source or source in (".", ".."):
        return _folder(connection, Path(source).expanduser(), seed)
    return NoiseSource("clips", seed, tuple(_of_dataset(store, connection, source)))


def fingerprint_of(source: str | None) -> list[tuple[str, int, int]]:
    """The files of a folder of noise by name, size and time: another content makes another version."""
    if source is None or ("/" not in source and source not in (".", "..")):
        return []
    return [(name, *_stamp(path)) for name, path in _files(Path(source).expanduser())]


def _stamp(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _files(folder: Path) -> list[tuple[str, Path]]:
    if not folder.is_dir():
        raise UsageError(f"--noise {folder}: there is no such folder.")
    found = [path for path in folder.rglob("*") if is_media(path.name) and path.is_file()]
    if not found:
        raise UsageError(f"--noise {folder}: there is no audio file in it.")
    return sorted((path.relative_to(folder).as_posix(), path) for path in found)


def _folder(connection: duckdb.DuckDBPyConnection, folder: Path, seed: int) -> NoiseSource:
    """The files of a folder; a copy of a sound of a validation or test split, by its bytes, is none of them."""
    held_out = _held_out(connection)
    clips = [NoiseClip(name, path, stamp=_stamp(path)) for name, path in _files(folder)]
    kept = [clip for clip in clips if not held_out or _digest(clip) not in held_out]
    if not kept:
        raise UsageError(f"--noise {folder}: every file in it is the sound of a validation or test split.")
    if len(kept) < len(clips):
        log.warning(
            "--noise %s: %d files are sounds of validation or test splits and left out", folder, len(clips) - len(kept)
        )
    return NoiseSource("clips", seed, tuple(kept))


def _of_dataset(store: Store, connection: duckdb.DuckDBPyConnection, dataset: str) -> list[NoiseClip]:
    roles = card_roles(read_corpora(connection, (dataset,)))
    relation = f"""
        (SELECT *, {role_sql(roles)} AS role FROM (
            SELECT s.*, v.verdict, coalesce(s.assigned_split, s.split) AS effective_split
            FROM samples s LEFT JOIN verdicts v ON s.dataset = v.dataset AND s.id = v.id
            WHERE s.dataset = {quote(dataset)}))"""
    clips = _clips(store, connection, relation, "true")
    if not clips:
        rows = connection.execute("SELECT DISTINCT dataset FROM samples ORDER BY 1").fetchall()
        known = [str(name) for (name,) in rows]
        if dataset in known:
            raise UsageError(f"--noise {dataset}: it has no sound of its own outside validation and test splits.")
        raise UsageError(
            f"--noise {dataset}: the store has no such dataset. Datasets: {', '.join(known)}.",
            hint=did_you_mean(dataset, [*known, *MADE]) or "a folder has a slash in it: --noise ./noises",
        )
    return clips


def _voices(store: Store, connection: duckdb.DuckDBPyConnection) -> list[NoiseClip]:
    tasks = ", ".join(map(quote, _SPOKEN))
    return _clips(store, connection, "chosen", f"effective_task IN ({tasks})")


def _clips(store: Store, connection: duckdb.DuckDBPyConnection, relation: str, test: str) -> list[NoiseClip]:
    """Whole files of sound, outside validation and test splits, that the rules did not reject."""
    rows: Sequence[tuple[str, str, str, str | None]] = connection.execute(f"""
        SELECT min(id), any_value(audio.path), audio.sha256, min(speaker) FROM {relation}
        WHERE audio IS NOT NULL AND more_media IS NULL AND start_s IS NULL AND end_s IS NULL AND channel IS NULL
          AND coalesce(role, '') NOT IN ('validation', 'test') AND verdict IS DISTINCT FROM 'reject' AND {test}
        GROUP BY audio.sha256 ORDER BY 1""").fetchall()
    held_out = _held_out(connection)
    clips = [
        NoiseClip(identity, store.media.absolute(path), sha256, speaker)
        for identity, path, sha256, speaker in rows
        if sha256 not in held_out
    ]
    if len(clips) > MOST_CLIPS:
        clips = sorted(sorted(clips, key=lambda clip: number_of(clip.name))[:MOST_CLIPS], key=lambda clip: clip.name)
    return clips


def _held_out(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The sounds of validation and test splits, of any dataset of the store."""
    role = role_sql(card_roles(read_corpora(connection)))
    rows = connection.execute(f"""
        SELECT DISTINCT sha256 FROM (
            SELECT {role} AS role, sha256 FROM (
                SELECT dataset, coalesce(assigned_split, split) AS effective_split, audio.sha256 AS sha256
                FROM samples WHERE audio IS NOT NULL))
        WHERE role IN ('validation', 'test')""").fetchall()
    return {str(sha256) for (sha256,) in rows}


__all__: list[str] = ["MADE", "NOT_SPOKEN", "NoiseSource", "fingerprint_of", "noise_source"]
