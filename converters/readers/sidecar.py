"""The `sidecar` reader: media files, each with a JSON file of the same name beside it.

    train/speech-000012.flac
    train/speech-000012.json    {"text": "Hello.", "language": "en", "words": [{"text": "Hello", "start_s": 0.1, ...}]}

The JSON file is UTF-8 and holds one object. Its keys are:

* columns of the sample schema (`text`, `language`, `captions`, `words` ...), with values of the column's type;
* `source_id`, which otherwise is the file's name without ending and folder of the split;
* `split` and `config`, where the source does not know them;
* anything else, which goes to `extra` as a string, together with what the key `extra` itself holds.

Promises: the two files may come in either order and far apart; a file of the one kind without the other is rejected
when all is read (`no_sidecar`, `no_media`), as is a sidecar that is not such an object (`bad_sidecar`). Files that are
neither media nor JSON are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from ...shards.sample import COLUMNS, MEDIA_KINDS, SCHEMA, sample_id
from ..raw import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Rejection

KIND_OF_SUFFIX: Mapping[str, str] = {
    **dict.fromkeys((".flac", ".wav", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aiff", ".aif", ".wma"), "audio"),
    **dict.fromkeys((".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mpg", ".mpeg", ".ts"), "video"),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"), "image"),
}
SETTABLE = frozenset(COLUMNS) - {
    "id", "dataset", "config", "split", "source", "revision", "pulled_at", "extra", "more_media", *MEDIA_KINDS
}
"""Columns that a sidecar may fill; the others are facts about the file or about the pull."""

HELD_BYTES = 256 * 1024 * 1024
"""Media that waits for its sidecar is kept in memory up to this size, and spooled beyond it."""


class BadSidecar(ValueError):
    """A sidecar that is not a JSON object of sample columns; the message says where."""


@dataclass(slots=True)
class _Media:
    """A media file that was read, or one whose row the store holds already (then there is no blob)."""

    file: RawFile
    kind: str
    blob: Blob | None


@dataclass(slots=True)
class _Sidecar:
    file: RawFile
    content: dict[str, Any] | BadSidecar


@dataclass(slots=True)
class _Waiting:
    """What has come without its other half, by folder and stem."""

    media: dict[str, _Media] = field(default_factory=dict)
    sidecars: dict[str, _Sidecar] = field(default_factory=dict)
    held_bytes: int = 0


def read(files: RawStream, context: ReadContext) -> CandidateStream:
    """Pair media files with their sidecars; see the module's text for the format."""
    waiting = _Waiting()
    for file in files:
        if isinstance(file, Rejection):
            yield file
        elif file.split is None or context.wants(file.split):
            yield from _take(file, waiting, context)
    yield from _reject_unpaired(waiting)


def _take(file: RawFile, waiting: _Waiting, context: ReadContext) -> Iterator[Candidate | Rejection]:
    path = PurePosixPath(file.name)
    stem, suffix = str(path.with_suffix("")), path.suffix.lower()
    if suffix == ".json":
        media = waiting.media.pop(stem, None)
        if media is None:
            waiting.sidecars[stem] = _Sidecar(file, _parse(file))
        elif media.blob is None:
            yield _settled(media)
        else:
            waiting.held_bytes -= len(media.blob.data or b"")
            yield from _pair(media, _Sidecar(file, _parse(file)), context)
    elif kind := KIND_OF_SUFFIX.get(suffix):
        sidecar = waiting.sidecars.pop(stem, None)
        if stem in waiting.media:
            yield _unpaired(file, "no_sidecar", f"{waiting.media[stem].file.name} has the same sidecar already")
        elif sidecar:
            yield from _pair(_Media(file, kind, file.blob()), sidecar, context)
        else:
            waiting.media[stem] = _hold(file, kind, waiting, context)


def _hold(file: RawFile, kind: str, waiting: _Waiting, context: ReadContext) -> _Media:
    """Keep the media until its sidecar comes; nothing is read for a row that the store holds."""
    if _is_settled(file, context):
        return _Media(file, kind, None)
    blob = file.blob()
    if blob.data is not None and waiting.held_bytes + len(blob.data) > HELD_BYTES and file.spool is not None:
        blob = _spooled(blob, file.spool)
    waiting.held_bytes += len(blob.data or b"")
    return _Media(file, kind, blob)


def _is_settled(file: RawFile, context: ReadContext) -> bool:
    if not file.revision:
        return False
    return context.settled([sample_id(context.dataset, file.config, file.split, _default_id(file))], file.revision)


def _settled(media: _Media) -> Candidate:
    file = media.file
    return Candidate(
        source_id=_default_id(file),
        split=file.split,
        config=file.config,
        uri=file.uri,
        revision=file.revision,
        where=file.name,
        settled=True,
    )


def _pair(media: _Media, sidecar: _Sidecar, context: ReadContext) -> Iterator[Candidate | Rejection]:
    assert media.blob is not None
    try:
        candidate = _candidate(media, media.blob, sidecar)
    except BadSidecar as problem:
        _discard(media.blob)
        yield Rejection(_default_id(media.file), "bad_sidecar", str(problem), uri=sidecar.file.uri)
        return
    if context.wants(candidate.split):
        yield candidate
    else:
        _discard(media.blob)


def _candidate(media: _Media, blob: Blob, sidecar: _Sidecar) -> Candidate:
    if isinstance(sidecar.content, BadSidecar):
        raise sidecar.content
    content = dict(sidecar.content)
    name = sidecar.file.name
    source_id = _text_of(content, "source_id", name) or _default_id(media.file)
    split = media.file.split or _text_of(content, "split", name)
    config = media.file.config or _text_of(content, "config", name)
    for key in ("source_id", "split", "config"):
        content.pop(key, None)
    return Candidate(
        source_id=source_id,
        split=split,
        config=config,
        fields=_fields(content, name),
        media=[(media.kind, blob)],
        uri=media.file.uri,
        revision=media.file.revision,
        where=name,
    )


def _fields(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The columns that the sidecar fills, each checked against the schema, and `extra` for the rest."""
    fields = {key: value for key, value in content.items() if key in SETTABLE and value is not None}
    for key, value in fields.items():
        try:
            pa.array([value], type=SCHEMA.field(key).type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            wanted = SCHEMA.field(key).type
            raise BadSidecar(f"{name}: {key!r} is {_excerpt(value)}, expected {wanted}: {error}") from error
    given = content.get("extra") or {}
    if not isinstance(given, dict):
        raise BadSidecar(f"{name}: 'extra' is {_excerpt(given)}, expected an object.")
    unknown = {key: value for key, value in content.items() if key not in SETTABLE and key != "extra"}
    if extra := {key: _as_string(value) for key, value in {**given, **unknown}.items() if value is not None}:
        fields["extra"] = extra
    return fields


def _parse(file: RawFile) -> dict[str, Any] | BadSidecar:
    try:
        content = json.loads(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        return BadSidecar(f"{file.name}: byte {error.start} is not UTF-8.")
    except json.JSONDecodeError as error:
        return BadSidecar(f"{file.name}, line {error.lineno}, column {error.colno}: {error.msg}.")
    except RecursionError:
        return BadSidecar(f"{file.name}: nested too deep.")
    if not isinstance(content, dict):
        return BadSidecar(f"{file.name}, line 1: {_excerpt(content)}, expected one JSON object.")
    return content


def _text_of(content: Mapping[str, Any], key: str, name: str) -> str | None:
    value = content.get(key)
    if value is None or isinstance(value, str):
        return value or None
    if key == "source_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadSidecar(f"{name}: {key!r} is {_excerpt(value)}, expected a string.")


def _default_id(file: RawFile) -> str:
    """The name without its ending, and without the folder of the split."""
    stem = str(PurePosixPath(file.name).with_suffix(""))
    return stem.removeprefix(f"{file.split}/") if file.split else stem


def _as_string(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _excerpt(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= 60 else written[:57] + "..."


def _spooled(blob: Blob, folder: Path) -> Blob:
    import tempfile

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix="spool-", delete=False) as out:
        out.write(blob.data or b"")
    return Blob(blob.name, path=Path(out.name), temporary=True)


def _discard(blob: Blob | None) -> None:
    if blob is not None and blob.temporary and blob.path is not None:
        blob.path.unlink(missing_ok=True)


def _reject_unpaired(waiting: _Waiting) -> Iterator[Rejection]:
    for stem, media in waiting.media.items():
        _discard(media.blob)
        yield _unpaired(media.file, "no_sidecar", f"there is no {stem}.json")
    for stem, sidecar in waiting.sidecars.items():
        yield _unpaired(sidecar.file, "no_media", f"there is no audio, video or image file {stem}.*")


def _unpaired(file: RawFile, reason: str, detail: str) -> Rejection:
    return Rejection(_default_id(file), reason, f"{file.name}: {detail}.", uri=file.uri)
