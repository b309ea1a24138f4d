"""Reader for NeMo manifests: JSON Lines with one utterance per line, regardless of the file name.

    {"audio_filepath": "wav/a.wav", "duration": 3.2, "text": "hello", "offset": 1.5, "lang": "en", "speaker": "s1"}

`offset` and `duration` define a span inside the file, in seconds; without `offset` it begins at 0, as NeMo reads it. If
they cover the whole file, up to a rounded end, the sample has no span. `channel_selector` is one channel, from 0;
`average` means all of them. Relative paths are resolved against the manifest's folder, or `--media-dir`.
`text_filepath` names a file with the text, which must be inside the manifest's folder or `--media-dir`. For a folder,
the manifests in it (`*.json`, `*.jsonl`) are read, sorted by name.

`source_lang` is the language spoken, else `lang`. Where `target_lang` is another one, as in the manifests of Canary,
the text is the translation and the task `s2tt`.

The rows of a tarred manifest (`shard_id`) name members of `audio_<n>.tar`: unpack the tars and pass their folder with
`--media-dir`. Further spans of one member are named `a-sub1.wav`, `a-sub2.wav` there; the member is `a.wav`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.media.sound import OVERSHOOT_S
from ...candidate import CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError, bad_cell
from ...files.named_files import NamedFiles
from ...spans import declared, span
from ..tables.cells import Row, Rows
from ..tables.user_table import candidates, read_table

_SUB = re.compile(r"-sub\d+(?=\.\w+$)")
KNOWN = {"audio_filepath": "audio", "text": "text", "lang": "language", "speaker": "speaker"}


class NemoReader(Reader):
    """NeMo manifests."""

    def accepts(self, name: str) -> bool:
        return name.lower().endswith((".json", ".jsonl", ".json.gz", ".jsonl.gz"))

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in line order, manifest by manifest."""
        for file in files:
            if isinstance(file, Rejection):
                yield file
            elif file.path is not None:
                yield from candidates(_rows(file, file.path, context), file, context, known=KNOWN)


def _rows(file: RawFile, path: Path, context: ReadContext) -> Rows:
    files = NamedFiles.of(path, context)
    for row in read_table(path, "jsonl", largest_line=context.largest_line):
        if isinstance(row, Rejection):
            yield row
            continue
        if "shard_id" in row.values and not context.media_dir:
            raise _tarred(path)
        yield from _described(row, files, reads_text="text" in context.columns)


def _described(row: Row, files: NamedFiles, *, reads_text: bool) -> Iterator[Row | Rejection]:
    values = row.values
    try:
        if not values.get("audio_filepath"):
            raise bad_cell("audio_filepath", values.get("audio_filepath"), "a path", reason="no_media")
        if "shard_id" in values:
            values["audio_filepath"] = _member(str(values["audio_filepath"]), files)
        if values.get("offset") is not None:
            values["start_s"], values["end_s"] = _span(values, files)
        elif values.get("duration") is not None:
            values["start_s"], values["end_s"] = _first_part(values, files)
        if values.get("text") is None and isinstance(values.get("text_filepath"), str):
            values["text"] = files.text("text_filepath", values["text_filepath"])
    except RowError as error:
        yield error.rejection(row.where)
        return
    values.pop("offset", None)
    if not reads_text:
        _take_languages(values)
    yield row


def _take_languages(values: dict[str, Any]) -> None:
    """Name the language spoken, and make a text in another one the translation."""
    if (spoken := values.pop("source_lang", None)) is not None:
        values["lang"] = spoken
    spoken, other = (str(values.get(name) or "").partition("-")[0].lower() for name in ("lang", "target_lang"))
    if spoken and other and spoken != other and values.get("translation") is None:
        values["translation"] = values.pop("text", None)
        values.setdefault("task", "s2tt")


def _span(values: dict[str, Any], files: NamedFiles) -> tuple[float | None, float | None]:
    start = _seconds("offset", values["offset"])
    if start < 0:
        raise bad_cell("offset", values["offset"], "a start at 0 seconds or later")
    if values.get("duration") is None:
        return span(start, None, None)
    length = _seconds("duration", values["duration"])
    path = Path(files.media("audio_filepath", str(values["audio_filepath"])))
    return span(start, start + length, declared(path, "duration") if start == 0 else None)


def _first_part(values: dict[str, Any], files: NamedFiles) -> tuple[float | None, float | None]:
    """The span of a row without an offset; none if it ends where the file does, give or take a rounded number."""
    length = _seconds("duration", values["duration"])
    if length <= 0:
        return None, None
    whole = declared(Path(files.media("audio_filepath", str(values["audio_filepath"]))), "duration")
    return (None, None) if whole is None or whole - length <= OVERSHOOT_S else (0.0, length)


def _member(name: str, files: NamedFiles) -> str:
    """The member of a shard that a row names; a further span of a member has a name of its own and no file."""
    member = _SUB.sub("", name)
    is_there = member == name or Path(files.media("audio_filepath", name)).exists()
    return name if is_there else member


def _seconds(column: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise bad_cell(column, value, "a number of seconds")
    return number


def _tarred(path: Path) -> UsageError:
    return UsageError(
        f"{path} is a tarred manifest: its rows have a shard_id, and their audio is inside audio_<n>.tar.",
        hint="unpack it first: mkdir audio && for t in audio_*.tar; do tar xf $t -C audio; done  "
        "and import with --media-dir audio",
    )
