"""Shards of Lhotse: the cuts of one, and what the files beside it hold for each.

`cuts.000000.jsonl.gz` is read with the files of the other fields in its folder, as `CutSet.from_shar(in_dir=FOLDER)`
reads them: one cut and one pair of members of each tar at a time. What is said of a cut is what that does with it, and
`load_audio` with its sound. Cuts whose file has no number are read by themselves.
Source: lhotse 1.33, `lhotse.shar.readers`, `lhotse.serialization`, `lhotse.audio.recording`.
"""

from __future__ import annotations

import gzip
import io
import itertools
import json
import math
import re
import tarfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ..findings import Finding, Problem, finding
from .tar_samples import Ended, members

SUFFIXES = (".jsonl.gz",)
TOLERANCE_S = 0.5
"""By so much a sound may be longer or shorter than its manifest says: Lhotse cuts it, or adds its end in reverse."""
_STOPS = "Lhotse stops: no cut after it is read"
_SILENT = "Lhotse reads no further in this shard, without a word"
_AGAIN = "download or make it again"


def _stops(what: str, mend: str, stage: str = "reading", why: str = _STOPS) -> Problem:
    return Problem(stage, "error", what, why, "crashed", mend)


PROBLEMS = {
    "broken_cuts": _stops("the file of cuts cannot be read", _AGAIN),
    "bad_cut": _stops("no cut", 'write a cut of Lhotse: {"type": "MonoCut", "id": ...}'),
    "other_number": _stops("a field has another number of shards than cuts have", "keep only shards in the folder"),
    "broken_field": _stops("a file of a field cannot be read", _AGAIN),
    "odd_members": _stops("a member without its manifest", "pack each with its .json after it"),
    "bad_manifest": _stops("a member whose manifest cannot be read", "pack each with its .json after it"),
    "other_id": _stops("a member of another cut", "pack members in the order of the cuts, each named by its id"),
    "no_sound": _stops(
        "a cut whose sound should be in its shard, and is not", "leave the cut out, or pack its sound", "loading",
        "`load_audio` stops at it",
    ),
    "bad_sound": _stops("a sound that cannot be read", "pack it again", "loading", "`load_audio` stops at it"),
    "other_length": _stops(
        f"a sound over {TOLERANCE_S:g} s longer or shorter than its manifest says", "correct num_samples and duration",
        "loading", "`load_audio` stops at it",
    ),
    "changed_length": Problem(
        "loading", "warning", "a sound longer or shorter than its manifest says",
        "`load_audio` cuts it, or adds its end in reverse, without a word", "kept", "correct num_samples and duration",
    ),
    "other_rate": Problem(
        "loading", "error", "a sound of another rate than its manifest says", "its times and pitch are wrong", "kept",
        "correct sampling_rate",
    ),
    "lost_cut": Problem("reading", "error", "a cut after the last member of a field", _SILENT, "deleted", _AGAIN),
    "unread_members": Problem("reading", "error", "members after the last cut", _SILENT, "deleted", _AGAIN),
    "broken_header": Problem(
        "reading", "error", "a header that is damaged or cut", "Lhotse takes it for the end, without a word", "deleted",
        _AGAIN,
    ),
    "after_the_end": Problem(
        "reading", "error", "content after an archive's end", "Lhotse does not read it, without a word", "deleted",
        "pack joined archives again: tar --concatenate",
    ),
    "no_end_mark": Problem(
        "reading", "warning", "no mark of an archive's end", "if it was cut, cuts are missing; Lhotse reads on", "kept",
        "compare its size with the original's",
    ),
    "no_data": Problem(
        "reading", "warning", "a cut for which a field has nothing", "its cut is given without it", "kept",
        "leave the cut out, or add what is missing",
    ),
    "repeated_cut": Problem(
        "reading", "warning", "a cut with the id of an earlier one", "both are given", "kept", "give each its own id"
    ),
}  # fmt: skip

_NUMBERED = re.compile(r"cuts\.\d+\.jsonl")
_KEYS = {"MonoCut": ("id", "start", "duration", "channel"), "MultiCut": ("id", "start", "duration", "channel")}
_OF_RECORDINGS = {"id", "sampling_rate", "num_samples", "duration"}
_UNREADABLE = (OSError, EOFError, zlib.error)
_LACKING = (".nodata", ".nometa")
_BEYOND = object()


@dataclass(frozen=True, slots=True)
class _Held:
    """What a field holds for a cut: a manifest, unless it has nothing, and data; `cut` is the id by its name."""

    cut: str
    name: str
    manifest: Mapping[str, Any] | None
    data: bytes | None = None


class _Broken(Exception):
    """A field that cannot be read on, by the code of a finding."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def examine(path: Path) -> Iterator[tuple[int | None, list[Finding]]]:
    """Yield the findings of each cut by its number, and with None those of the whole shard."""
    fields = _fields(path)
    if wrong := [name for name, file in fields.items() if file is None]:
        yield None, [_of_shard("other_number", ", ".join(sorted(wrong)))]
        return
    readers = {name: _read(file, name) for name, file in fields.items() if file is not None}
    lost: dict[str, list[Finding]] = {}
    seen: dict[str, int] = {}
    try:
        for number, cut in enumerate(_cuts(path), 1):
            found = list(_cut(number, cut, seen))
            if not lost and not any(each.outcome == "crashed" for each in found):
                for name, reader in readers.items():
                    found += _field(number, name, reader, cut, lost)
                found += _without_sound(number, cut, found, readers)
            if lost:
                found.append(finding(PROBLEMS, "lost_cut", number, column=next(iter(lost)), value=cut.get("id")))
            yield number, found
            if any(each.outcome == "crashed" and each.stage == "reading" for each in found):
                return
    except _UNREADABLE as error:
        yield None, [_of_shard("broken_cuts", str(error))]
        return
    if not lost:
        lost = {name: list(_left(reader, name)) for name, reader in readers.items()}
    if rest := [each for found in lost.values() for each in found]:
        yield None, rest


def _of_shard(code: str, detail: str, column: str | None = None) -> Finding:
    return finding(PROBLEMS, code, 0, detail=detail, column=column)


def _fields(path: Path) -> dict[str, Path | None]:
    """The fields beside cuts, each with the file of this shard, or None if it has another number of shards."""
    if _NUMBERED.match(path.name) is None:
        return {}
    files: dict[str, list[Path]] = {}
    for each in sorted(path.parent.iterdir()):
        files.setdefault(each.name.split(".")[0], []).append(each)
    cuts = [each for each in files.pop("cuts") if ".jsonl" in each.suffixes]
    place = cuts.index(path)
    return {name: found[place] if len(found) == len(cuts) else None for name, found in files.items()}


def _cuts(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file of cuts; what is no object is one without keys."""
    with gzip.open(path, "rb") as lines:
        for line in lines:
            yield _object(line)


def _object(line: bytes) -> dict[str, Any]:
    try:
        read = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _cut(number: int, cut: Mapping[str, Any], seen: dict[str, int]) -> Iterator[Finding]:
    kind = cut.get("type")
    missing = [key for key in _KEYS.get(str(kind), ()) if key not in cut]
    if kind not in (*_KEYS, "MixedCut", "Cut") or missing:
        detail = f"no {missing[0]}" if missing else f"of type {kind!r}"
        yield finding(PROBLEMS, "bad_cut", number, detail=detail, column="type", value=kind)
        return
    first = seen.setdefault(str(cut.get("id")), number)
    if first != number:
        yield finding(PROBLEMS, "repeated_cut", number, detail=f"cut {first}", column="id", value=cut.get("id"))


def _field(
    number: int, name: str, reader: Iterator[_Held], cut: Mapping[str, Any], lost: dict[str, list[Finding]]
) -> Iterator[Finding]:
    """What one field holds for one cut; if it has ended, `lost` gets it with what stands at its end."""
    if lost:
        return
    try:
        held = next(reader, None)
    except _Broken as problem:
        if PROBLEMS[problem.code].outcome == "crashed":
            yield finding(PROBLEMS, problem.code, number, detail=problem.detail, column=name, value=cut.get("id"))
        else:
            lost[name] = [_of_shard(problem.code, problem.detail, name)]
        return
    if held is None:
        lost[name] = []
    elif held.manifest is None:
        yield finding(PROBLEMS, "no_data", number, column=name, value=held.name)
    elif held.cut != cut.get("id"):
        yield finding(PROBLEMS, "other_id", number, detail=f"cut {cut.get('id')}", column=name, value=held.name)
    elif held.data is not None and "sources" in held.manifest:
        yield from _sound(number, name, held)


def _without_sound(
    number: int, cut: Mapping[str, Any], found: list[Finding], fields: Collection[str]
) -> Iterator[Finding]:
    """Whether a cut expects its sound in its shard and finds none there."""
    recording = cut.get("recording")
    sources = recording.get("sources") if isinstance(recording, Mapping) else None
    expects = any(isinstance(each, Mapping) and each.get("type") == "shar" for each in sources or ())
    lacks = any(each.code == "no_data" and each.column == "recording" for each in found)
    if expects and (lacks or "recording" not in fields):
        yield finding(PROBLEMS, "no_sound", number, column="recording", value=cut.get("id"))


def _sound(number: int, name: str, held: _Held) -> Iterator[Finding]:
    """Hold a sound against its manifest."""
    import soundfile

    assert held.manifest is not None and held.data is not None
    said, seconds = held.manifest["sampling_rate"], held.manifest["duration"]
    if not isinstance(said, int) or not isinstance(seconds, int | float):
        detail = f"sampling_rate {said}, duration {seconds}"
        yield finding(PROBLEMS, "bad_sound", number, detail=detail, column=name, value=held.name)
        return
    try:
        with soundfile.SoundFile(io.BytesIO(held.data)) as file:
            frames, rate = file.frames, file.samplerate
    except soundfile.LibsndfileError as error:
        yield finding(PROBLEMS, "bad_sound", number, detail=str(error), column=name, value=held.name)
        return
    beyond = abs(round(seconds * said) - frames)
    if rate != said:
        yield finding(PROBLEMS, "other_rate", number, detail=f"{rate} Hz", column=name, value=said)
    if beyond:
        code = "other_length" if beyond > math.ceil(TOLERANCE_S * said) else "changed_length"
        yield finding(PROBLEMS, code, number, detail=f"{frames} samples", column=name, value=held.name)


def _read(path: Path, field: str) -> Iterator[_Held]:
    """What a field holds, cut by cut.

    Raises:
        _Broken: It cannot be read on, or stands for another end than its own.
    """
    if ".tar" in path.suffixes:
        return _read_tar(path)
    return _read_lines(path, field)


def _read_lines(path: Path, field: str) -> Iterator[_Held]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as lines:
            for line in lines:
                item = _object(line)
                if "cut_id" not in item:
                    raise _Broken("broken_field", f"{path.name}: a line without cut_id")
                held = item.get(field, _BEYOND)
                yield _Held(str(item["cut_id"]), path.name, None if held is _BEYOND else {"value": held})
    except _UNREADABLE as error:
        raise _Broken("broken_field", f"{path.name}: {error}") from None


def _read_tar(path: Path) -> Iterator[_Held]:
    """The pairs of members: the data, then its manifest. Like the reader it asks for the next before it gives one."""
    try:
        with path.open("rb") as file:
            pair: list[tuple[PurePosixPath, bytes | None]] = []
            ended: Ended | None = None
            try:
                for tar, info in members(file):
                    if len(pair) == 2:
                        yield _held(*pair)
                        pair = []
                    pair.append(_member(tar, info))
            except Ended as problem:
                ended = problem
            if len(pair) == 2:
                yield _held(*pair)
            if len(pair) == 1:
                raise _Broken("odd_members", str(pair[0][0]))
            if ended is not None:
                raise _Broken(ended.code, f"{path.name} {ended.detail}".strip())
    except (tarfile.TarError, *_UNREADABLE) as error:
        raise _Broken("broken_field", f"{path.name}: {error}") from None


def _member(tar: tarfile.TarFile, info: tarfile.TarInfo) -> tuple[PurePosixPath, bytes | None]:
    path = PurePosixPath(info.name)
    if path.suffix in _LACKING:
        return path, None
    member = tar.extractfile(info)
    if member is None:
        raise _Broken("broken_field", f"{info.name} is no file")
    return path, member.read()


def _held(data: tuple[PurePosixPath, bytes | None], manifest: tuple[PurePosixPath, bytes | None]) -> _Held:
    name, held = data
    cut = str(name.parent / name.stem)
    if manifest[1] is None:
        return _Held(cut, str(name), None)
    read = _object(manifest[1])
    if "sources" in read:
        sources = read["sources"]
        if not isinstance(sources, list) or len(sources) != 1 or not read.keys() >= _OF_RECORDINGS:
            raise _Broken("bad_manifest", f"{manifest[0]} is no recording of one source")
    elif not read.keys() & {"shape", "array", "num_features"}:
        raise _Broken("bad_manifest", str(manifest[0]))
    return _Held(cut, str(name), read, held)


def _left(reader: Iterator[_Held], field: str) -> Iterator[Finding]:
    """What stands in a field after what the cuts have taken."""
    try:
        left = sum(1 for _ in itertools.chain(reader))
        if left:
            yield _of_shard("unread_members", f"for {left} cuts", field)
    except _Broken as problem:
        if problem.code in ("broken_header", "after_the_end", "no_end_mark"):
            yield _of_shard(problem.code, problem.detail, field)
        else:
            yield _of_shard("unread_members", problem.detail, field)
