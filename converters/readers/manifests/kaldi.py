"""Reader for a Kaldi data directory: `wav.scp`, `text`, `segments`, `utt2spk` and others, one UTF-8 line per entry.

    wav.scp      <recording> <path>                      (a command, `sox ... |`, is never run: executable_entry)
    segments     <utterance> <recording> <start> <end> [<channel>]
                 (seconds; an end of -1 means the recording's end; the channel from 0, as `extract-segments` counts)
    text         <utterance> <words ...>
    utt2spk      <utterance> <speaker>;  utt2lang <utterance> <language>;  spk2gender <speaker> <m|f>
    utt2dur      <utterance> <seconds>;  reco2dur <recording> <seconds>
    reco2file_and_channel  <recording> <file> <channel>  (A or B, or a number from 1; from 0 if the file has a 0)

The channel of a recording selects it in a file of several channels; a file of one channel is that side already. The
duration of an utterance goes to `extra`, where `validate` compares it with the media.
Utterances are the lines of `segments`, or of `wav.scp` if there is no `segments`. If there is a file `text`, an
utterance missing from it is rejected (`no_transcript`), as Kaldi's own `fix_data_dir.sh` would drop it; without a file
`text` all utterances are kept, without text. A line of `text` or `utt2spk` for an unknown utterance is `no_media`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.text import split_blanks, strip_blanks
from ...candidate import CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...files.named_files import NamedFiles
from ...imports.columns import KEEP
from ...spans import channels_in, declared, span
from ..tables.cells import Row
from ..tables.user_table import candidates

FILES = (
    "wav.scp", "segments", "text", "utt2spk", "utt2lang", "spk2gender", "utt2dur", "reco2dur", "reco2file_and_channel",
)  # fmt: skip
_OF_UTTERANCES = re.compile(r"(text|utt2|spk2|reco2|rec2)\w+|\w+\.scp|stm|ctm|rttm")
_DERIVED = frozenset({"spk2utt", "feats.scp", "cmvn.scp", "vad.scp", "utt2num_frames"})
_BOM = b"\xef\xbb\xbf"
KNOWN = {"id": "id", "audio": "audio", "text": "text", "speaker": "speaker", "language": "language",
         "start_s": "start_s", "end_s": "end_s", "file_channel": "channel", "channel": KEEP}  # fmt: skip


@dataclass
class _Directory:
    """Its files as maps of key -> (rest of the line, line number), and the rejected lines."""

    path: Path
    maps: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    rejections: list[Rejection] = field(default_factory=list)

    def get(self, name: str, key: str) -> str | None:
        found = self.maps.get(name, {}).get(key)
        return found[0] or None if found else None

    @cached_property
    def counts_from_0(self) -> bool:
        """Whether the numbers of channels start at 0 here; Kaldi's recipes write 1 and 2."""
        return any(rest.split()[-1:] == ["0"] for rest, _ in self.maps.get("reco2file_and_channel", {}).values())

    def where(self, name: str, key: str) -> str:
        return f"{self.path / name}:{self.maps[name][key][1]}"


class KaldiReader(Reader):
    """A Kaldi data directory."""

    def accepts(self, name: str) -> bool:
        return name in FILES

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in the order of `segments`, or of `wav.scp`."""
        directory = _Directory(context.path or Path())
        scp: RawFile | None = None
        for file in files:
            if isinstance(file, Rejection):
                yield file
                continue
            _take(file, directory)
            if file.name == "wav.scp":
                scp = file
        if scp is None:
            raise _not_a_directory(directory.path)
        _tell_unread(directory, context)
        yield from directory.rejections
        yield from candidates(_rows(directory, context), scp, context, columns=_columns(directory), known=KNOWN,
                              spans_by_name=False)  # fmt: skip
        yield from _unmatched(directory, context)


def _take(file: RawFile, directory: _Directory) -> None:
    if (kind := file.pointer()) is not None:
        raise UsageError(f"{directory.path / file.name} is {kind}.")
    entries: dict[str, tuple[str, int]] = {}
    for number, raw in enumerate(file.read().split(b"\n"), start=1):
        where = f"{directory.path / file.name}:{number}"
        try:
            # Fields are separated by ASCII whitespace only: a no-break space is part of an id or a text.
            parts = [part.decode() for part in raw.removeprefix(_BOM if number == 1 else b"").strip().split(None, 1)]
        except UnicodeDecodeError as error:
            directory.rejections.append(
                Rejection(f"{file.name}:{number}", "not_utf8", f"{where}: byte {error.start}", where)
            )
            continue
        if not parts:
            continue
        key, *rest = parts
        if key in entries:
            detail = f"{where}: {key} is already on line {entries[key][1]}"
            directory.rejections.append(Rejection(f"{file.name}:{number}", "duplicate_id", detail, where))
        else:
            entries[key] = (_rest_of(file.name, rest), number)
    directory.maps[file.name] = entries


def _rest_of(name: str, rest: list[str]) -> str:
    """What a line says of its key; a text loses any white space at its ends, an id or path only blanks."""
    if not rest:
        return ""
    return rest[0].strip() if name == "text" else strip_blanks(rest[0])


def _columns(directory: _Directory) -> list[str]:
    columns = ["id", "audio", "recording_id"]
    for name, column in [("text", "text"), ("utt2spk", "speaker"), ("utt2lang", "language"), ("spk2gender", "gender"),
                         ("utt2dur", "duration"), ("reco2file_and_channel", "channel")]:  # fmt: skip
        if name in directory.maps:
            columns.append(column)
    return (
        [*columns, "start_s", "end_s", "file_channel"] if "segments" in directory.maps else [*columns, "file_channel"]
    )


def _rows(directory: _Directory, context: ReadContext) -> Iterator[Row | Rejection]:
    source = "segments" if "segments" in directory.maps else "wav.scp"
    files = NamedFiles.of(directory.path / source, context)
    for utterance in directory.maps[source]:
        where = directory.where(source, utterance)
        try:
            yield _utterance(utterance, directory, files, where)
        except RowError as problem:
            yield problem.rejection(where, candidate=utterance)


def _utterance(utterance: str, directory: _Directory, files: NamedFiles, where: str) -> Row:
    recording, start, end, channel = utterance, 0.0, None, None
    stated = None
    if "segments" in directory.maps:
        recording, start, end, channel = _segment(directory.maps["segments"][utterance][0])
    place = _place(recording, directory)
    if "text" in directory.maps and utterance not in directory.maps["text"]:
        raise RowError("no_transcript", f"the file text has no line for {utterance}")
    values: dict[str, Any] = {"id": utterance, "audio": place}
    if "segments" in directory.maps:
        stated = _duration(recording, directory)
        whole = stated or (declared(Path(files.media("audio", place)), "duration") if start == 0 else None)
        values["start_s"], values["end_s"] = span(start, end, whole)
        stated = stated if end is not None and values["start_s"] is None and values["end_s"] is None else None
        values["recording_id"] = recording
    side = _side(recording, directory)
    speaker = directory.get("utt2spk", utterance)
    values |= {
        "text": directory.get("text", utterance),
        "speaker": speaker,
        "language": directory.get("utt2lang", utterance),
        "gender": directory.get("spk2gender", speaker) if speaker else None,
        "duration": directory.get("utt2dur", utterance),
        "channel": side,
        "file_channel": _channel_of(side, Path(files.media("audio", place)), directory) if channel is None else channel,
    }
    return Row({column: value for column, value in values.items() if value is not None}, where, stated_s=stated)


def _segment(rest: str) -> tuple[str, float, float | None, int | None]:
    parts = split_blanks(rest)
    try:
        recording, start, end = parts[0], float(parts[1]), float(parts[2])
        channel = int(parts[3]) if len(parts) > 3 else None
    except (IndexError, ValueError):
        channel, parts = None, []
    if not 3 <= len(parts) <= 4 or (channel is not None and channel < 0):
        expected = "<utterance> <recording> <start> <end> [<channel>]"
        raise RowError("bad_row", f"expected {expected}, got {rest[:80]!r}")
    if end == -1:
        return recording, start, None, channel
    if not 0 <= start < end < float("inf"):
        raise RowError("bad_value", f"{start} to {end} s is not a valid span")
    return recording, start, end, channel


def _side(recording: str, directory: _Directory) -> str | None:
    """The channel of a recording as `reco2file_and_channel` writes it."""
    entry = directory.get("reco2file_and_channel", recording)
    return split_blanks(entry)[-1] if entry else None


def _channel_of(side: str | None, path: Path, directory: _Directory) -> int | None:
    """The channel of the file, from 0; None if the file has no others."""
    found = channels_in(side) if side is not None else []
    if found is None or len(found) > 1:
        raise RowError("bad_value", f"expected a channel such as A, B, 1 or 2 in reco2file_and_channel, got {side!r}")
    if not found or side is None:
        return None
    channel = found[0] if not side.isdigit() or directory.counts_from_0 else found[0] - 1
    return channel if channel > 0 and declared(path, "channels") != 1 else 0


def _place(recording: str, directory: _Directory) -> str:
    """The file of a recording; of Kaldi's extended file names, only plain files are supported."""
    place = directory.get("wav.scp", recording)
    if place is None:
        raise RowError("no_media", f"wav.scp has no recording {recording}")
    if place.startswith("|") or place.endswith("|"):
        raise RowError("executable_entry", f"a command, which is never run: {place[:80]}")
    head, _, offset = place.rpartition(":")
    if place == "-" or (head.endswith(".ark") and offset.isdigit()):
        raise RowError("unsupported_source", f"{place[:80]} is not a separate audio file")
    return place


def _duration(recording: str, directory: _Directory) -> float | None:
    try:
        return float(directory.get("reco2dur", recording) or "none")
    except ValueError:
        return None


def _unmatched(directory: _Directory, context: ReadContext) -> Iterator[Rejection]:
    """Reject lines of unknown utterances, once per id; recordings without segments are only noted."""
    utterances = directory.maps.get("segments", directory.maps["wav.scp"])
    reported: set[str] = set()
    for name in ("text", "utt2spk", "utt2lang", "utt2dur"):
        for utterance in directory.maps.get(name, {}):
            if utterance not in utterances and utterance not in reported:
                reported.add(utterance)
                where = directory.where(name, utterance)
                detail = f"{where}: neither segments nor wav.scp has this utterance"
                yield Rejection(utterance, "no_media", detail, where)
    if "segments" in directory.maps:
        used = {rest.split(maxsplit=1)[0] for rest, _ in utterances.values() if rest}
        if unused := len(directory.maps["wav.scp"].keys() - used):
            context.note(f"{unused} recordings in wav.scp have no segment")


def _tell_unread(directory: _Directory, context: ReadContext) -> None:
    """Note what says something of the utterances and is not read: `spk1.scp`, `text_spk1`, a folder named `utt2spk`."""
    there = {each.name for each in directory.path.iterdir()} - directory.maps.keys() - _DERIVED
    unread = sorted(name for name in there if name in FILES or _OF_UTTERANCES.fullmatch(name))
    if unread:
        context.note(f"not read: {', '.join(unread)}")


def _not_a_directory(path: Path) -> UsageError:
    inside = sorted(found.parent for found in path.glob("*/wav.scp"))
    hint = f"triptych import kaldi {inside[0]} ..." if inside else None
    return UsageError(f"{path} is not a Kaldi data directory: it has no wav.scp.", hint=hint)
