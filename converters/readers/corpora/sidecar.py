"""The `sidecar` reader: media files, each with a JSON file of the same name next to it.

    train/speech-000012.flac
    train/speech-000012.json    {"text": "Hello.", "language": "en", "words": [{"text": "Hello", "start_s": 0.1, ...}]}

The JSON file is UTF-8 and contains one object. Its keys are:

* columns of the sample schema (`text`, `language`, `captions`, `words` ...), with values of the column's type;
* `start` and `duration`, `channel` and the like, as in tables: the span and the channel of the file;
* `source_id`; default: the file's path without its suffix and the folder of the split; in an archive its path there, so
  that a folder of downloads gives the ids that the host gives;
* `split` and `config`, if the source does not define them;
* anything else, which goes to `extra` as a string, together with the entries under the key `extra`.

Options (on the card): `length`, a key with the seconds that a file without a span lasts; a file of another length is
rejected as `other_length`.

Guarantees: the two files may come in either order and far apart; names that differ only by Unicode normalisation are
paired at the end, if there is no doubt; a file without its counterpart is rejected at the end
(`no_sidecar`, `no_media`), as is an invalid sidecar (`bad_sidecar`). Files that are neither media nor JSON are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from ....errors import UsageError
from ....shards.git_pointers import pointer_kind
from ....shards.json_objects import RepeatedKeyError, parse
from ....shards.sample import COLUMNS, MEDIA_KINDS, SCHEMA
from ....shards.store.rows_to_arrow import values_to_array
from ...candidate import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...files.extensions import AUDIO, IMAGE, VIDEO
from ...files.unicode_names import pairs_by_spelling
from ...imports.columns import MEDIA
from ...spans import sample_rate
from ..mapping.option_types import a_text
from ..tables.cells import as_number, as_text, check_span
from ..tables.stated_span import StatedSpans
from .spool import WaitingMedia

KIND_OF_EXTENSION: Mapping[str, str] = {
    **dict.fromkeys(AUDIO, "audio"),
    **dict.fromkeys(VIDEO, "video"),
    **dict.fromkeys(IMAGE, "image"),
    **dict.fromkeys(("webm", "mkv", "ts", "3gp", "3g2", "asf"), MEDIA),
}
"""Sound alone is common in some containers of videos: probing tells which it is."""

SETTABLE = frozenset(COLUMNS) - {
    "id",
    "dataset",
    "config",
    "split",
    "source",
    "revision",
    "pulled_at",
    "extra",
    "more_media",
    "channel",
    *MEDIA_KINDS,
}
"""Columns that a sidecar may set; the others are determined by the file or the pull."""


@dataclass(slots=True)
class _Sidecar:
    file: RawFile
    content: dict[str, Any] | RowError


@dataclass(slots=True)
class _Unpaired:
    """Files still without their counterpart, by folder and stem."""

    media: WaitingMedia = field(default_factory=WaitingMedia)
    media_names: dict[str, str] = field(default_factory=dict)
    sidecars: dict[str, _Sidecar] = field(default_factory=dict)


class SidecarReader(Reader):
    """Media files, each with a JSON file; see the module docstring."""

    def check(self, options: Mapping[str, Any]) -> None:
        if unknown := sorted(set(map(str, options)) - {"length"}):
            raise UsageError(f"reader sidecar: unknown option {', '.join(unknown)}.")
        if "length" in options:
            a_text(options["length"], "length")

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Pair media files with their sidecars; see the module docstring for the format."""
        unpaired = _Unpaired()
        for file in files:
            if isinstance(file, Rejection):
                yield file
            elif file.split is None or context.wants(file.split):
                yield from _take(file, unpaired, context)
        for stem, other in pairs_by_spelling(unpaired.media.names(), unpaired.sidecars):
            yield from _pair(unpaired.media.release(stem), unpaired.sidecars.pop(other), context)
        for stem, candidate in zip(unpaired.media.names(), list(unpaired.media.rest()), strict=True):
            yield _rejection(candidate, "no_sidecar", f"{candidate.where}: there is no {stem}.json.")
        for stem, sidecar in unpaired.sidecars.items():
            detail = f"{sidecar.file.name}: there is no audio, video or image file {stem}.*"
            yield Rejection(_default_id(sidecar.file), "no_media", detail, uri=sidecar.file.uri)


def _take(file: RawFile, unpaired: _Unpaired, context: ReadContext) -> Iterator[Candidate | Rejection]:
    path = PurePosixPath(file.name)
    stem, suffix = str(path.with_suffix("")), path.suffix.lower()
    if suffix == ".json":
        if stem not in unpaired.media_names:
            unpaired.sidecars[stem] = _Sidecar(file, _parse(file))
            return
        del unpaired.media_names[stem]
        candidate = unpaired.media.release(stem)
        yield from _pair(candidate, _Sidecar(file, _parse(file)), context)
    elif kind := KIND_OF_EXTENSION.get(suffix.removeprefix(".")):
        if first := unpaired.media_names.get(stem):
            detail = f"{file.name}: {first} already uses the same sidecar."
            yield Rejection(_default_id(file), "no_sidecar", detail, uri=file.uri)
        elif sidecar := unpaired.sidecars.pop(stem, None):
            yield from _pair(_media_candidate(file, kind), sidecar, context)
        else:
            unpaired.media.hold(stem, _media_candidate(file, kind), spool=file.spool)
            unpaired.media_names[stem] = file.name


def _media_candidate(file: RawFile, kind: str) -> Candidate:
    """The media file as a candidate without fields."""
    return Candidate(
        source_id=_default_id(file),
        split=file.split,
        config=file.config,
        media=[(kind, file.blob())],
        uri=file.uri,
        revision=file.revision,
        where=file.name,
    )


def _pair(candidate: Candidate, sidecar: _Sidecar, context: ReadContext) -> Iterator[Candidate | Rejection]:
    try:
        _describe(candidate, sidecar, length=context.options.get("length"))
    except RowError as problem:
        _discard(candidate)
        yield problem.rejection(candidate=candidate.source_id, uri=candidate.uri)
        return
    if context.wants(candidate.split):
        yield candidate
    else:
        _discard(candidate)


def _describe(candidate: Candidate, sidecar: _Sidecar, *, length: str | None) -> None:
    """Fill the candidate from its sidecar."""
    if isinstance(sidecar.content, RowError):
        raise sidecar.content
    name, content = sidecar.file.name, dict(sidecar.content)
    source_id, split, config = (_text_of(content.pop(key, None), key, name) for key in ("source_id", "split", "config"))
    candidate.length_s = as_number(length, content.get(length)) if length is not None else None
    stated = _take_span(content, candidate.media[0][1])
    candidate.fields = _fields(content, name) | stated
    candidate.source_id = source_id or candidate.source_id
    candidate.split = candidate.split or split
    candidate.config = candidate.config or config
    candidate.where = name


def _take_span(content: dict[str, Any], medium: Blob) -> dict[str, Any]:
    """Take the span and the channel that the keys state together: `start` and `duration`, `offset` and `duration`."""
    spans = StatedSpans({})
    if (fault := spans.look([content], lambda line: None)) is not None:
        raise RowError("ambiguous_span", fault)
    fields, used = spans.read(content, lambda: sample_rate(medium))
    check_span(fields)
    for key in used:
        del content[key]
    return fields


def _fields(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The columns set by the sidecar, each checked against the schema, and `extra` for the rest."""
    fields = {key: value for key, value in content.items() if key in SETTABLE and value is not None}
    for key, value in fields.items():
        try:
            values_to_array([value], SCHEMA.field(key).type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            expected = SCHEMA.field(key).type
            detail = f"{name}: {key!r} is {_excerpt(value)}, expected {expected}: {error}"
            raise RowError("bad_sidecar", detail) from error
    given = content.get("extra") or {}
    if not isinstance(given, dict):
        raise RowError("bad_sidecar", f"{name}: 'extra' is {_excerpt(given)}, expected an object.")
    unknown = {key: value for key, value in content.items() if key not in SETTABLE and key != "extra"}
    texts = {key: as_text(value) for key, value in {**given, **unknown}.items()}
    if extra := {key: text for key, text in texts.items() if text is not None}:
        fields["extra"] = extra
    return fields


def _parse(file: RawFile) -> dict[str, Any] | RowError:
    data = file.read()
    if (kind := pointer_kind(data)) is not None:
        return RowError("pointer", f"{file.name}: it is {kind}.")
    try:
        content = parse(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return RowError("bad_sidecar", f"{file.name}: byte {error.start} is not UTF-8.")
    except json.JSONDecodeError as error:
        return RowError("bad_sidecar", f"{file.name}, line {error.lineno}, column {error.colno}: {error.msg}.")
    except RepeatedKeyError as error:
        return RowError("bad_sidecar", f"{file.name}: {error}.")
    except RecursionError:
        return RowError("bad_sidecar", f"{file.name}: nested too deeply.")
    if not isinstance(content, dict):
        return RowError("bad_sidecar", f"{file.name}, line 1: {_excerpt(content)}, expected one JSON object.")
    return content


def _text_of(value: Any, key: str, name: str) -> str | None:
    if isinstance(value, str | None):
        return value or None
    if key == "source_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RowError("bad_sidecar", f"{name}: {key!r} is {_excerpt(value)}, expected a string.")


def _default_id(file: RawFile) -> str:
    """The name without its suffix and without the folder of the split; of a member of an archive, its name in there."""
    inside = file.uri.rpartition("!")[2]
    name = inside if file.split and file.name.endswith(f"/{inside}") else file.name
    stem = str(PurePosixPath(name).with_suffix(""))
    return stem.removeprefix(f"{file.split}/") if file.split else stem


def _excerpt(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _rejection(candidate: Candidate, reason: str, detail: str) -> Rejection:
    return Rejection(candidate.source_id, reason, detail, uri=candidate.uri)


def _discard(candidate: Candidate) -> None:
    for _, blob in candidate.media:
        blob.discard()
