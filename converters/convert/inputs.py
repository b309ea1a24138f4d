"""Read files as samples, with the readers that `import` uses; media is referenced by path and not opened.

A sample maps the non-null columns of the schema to values, plus `audio_paths`, `video_paths`, `image_paths`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UsageError, did_you_mean
from ...options import flag_of
from ...shards.media.probe import MediaError, probe
from ...shards.sample import MEDIA_KINDS, MODALITIES, lacks_media, without_media
from ..candidate import Blob, Candidate, ReadContext, Rejection, RowError
from ..files.extensions import kind_of
from ..imports.columns import LIST_FIELDS, MEDIA, check_field, set_value
from ..imports.formats import FORMATS
from ..imports.input_files import input_files
from ..readers import get_reader
from ..spans import MediaFields, channel_of, declared, stated_whole
from .options import ConvertOptions
from .result import Problem

Sample = dict[str, Any]
_PER_ROW = ("id", *MEDIA_KINDS, MEDIA, "words", "phones", "messages", "start_s", "end_s", "channel")

READABLE = tuple(name for name, spec in FORMATS.items() if not spec.aligns and spec.reads != "shards")
"""Formats whose rows reference media by path; shards embed their media, alignments have none."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input files and how to read them.

    Attributes:
        columns: Column -> field, from `--map`, `--text-col` and the like.
        values: Field -> value for every row.
        modality: Modality of every row; None: inferred from its media.
        name: Prefix of every id.
        media_dir: Base folder of relative media paths; None: the file's own folder.
        allow_outside: Folders beside the input that links and relative paths may lead to.
        records: The key path of the list of records in a JSON document.
        named_by: Column -> the option that named it, if that was not `--map`.
    """

    format: str
    paths: Sequence[Path]
    columns: Mapping[str, str] = field(default_factory=dict)
    id_column: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    modality: str | None = None
    name: str | None = None
    media_dir: Path | None = None
    allow_outside: tuple[Path, ...] = ()
    records: str | None = None
    named_by: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """One sample, and the file and line it comes from."""

    sample: Sample
    where: str


def check_inputs(inputs: Inputs) -> None:
    """Raise UsageError if the format, a path or a field is invalid."""
    if inputs.format not in READABLE:
        hint = did_you_mean(inputs.format, READABLE)
        if inputs.format in FORMATS:
            hint = f"triptych import {inputs.format} PATH --name NAME"
        raise UsageError(f"convert reads {', '.join(READABLE)}; not {inputs.format!r}.", hint=hint)
    given = {"columns": inputs.columns, "id_column": inputs.id_column, "media_dir": inputs.media_dir,
             "records": inputs.records}  # fmt: skip
    for option, value in given.items():
        if value and option not in FORMATS[inputs.format].options:
            raise UsageError(
                f"convert {inputs.format} takes no {flag_of(ConvertOptions, option)}: this format has no such setting."
            )
    for path in inputs.paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file or folder.")
        reads = FORMATS[inputs.format].reads
        if (path.is_dir() and reads == "file") or (path.is_file() and reads == "folder"):
            raise UsageError(f"{path} is not a {reads}: `convert {inputs.format}` reads a {reads}.")
    for name in inputs.values:
        check_field(name, where="--set")
        set_value(name, inputs.values[name])
        if name in _PER_ROW:
            raise UsageError(f"--set: {name!r} differs from row to row; map a column to it: --map COLUMN={name}")
    if inputs.modality is not None and inputs.modality not in MODALITIES:
        raise UsageError(
            f"--modality {inputs.modality!r}: modalities are {', '.join(MODALITIES)}.",
            hint="here it says what the rows of the input are; what a model hears and sees of a video is chosen by "
            "`triptych import`, then `triptych export --modality`",
        )


def read_samples(inputs: Inputs, notes: list[str]) -> Iterator[Found | Problem]:
    """The samples of all inputs in order; a row that cannot be read is a `Problem`."""
    spec = FORMATS[inputs.format]
    values = {name: [value] if name in LIST_FIELDS else set_value(name, value) for name, value in inputs.values.items()}
    for path in inputs.paths:
        reader = get_reader(spec.reader)
        files = input_files(
            spec, path.absolute(), reader.accepts, allow_outside=inputs.allow_outside, note=notes.append
        )
        stream = reader.read(files, _context(inputs, path, notes))
        for item in _paired(stream) if inputs.format == "folder" else stream:
            if isinstance(item, Rejection):
                yield Problem(item.uri or item.candidate, item.reason, item.detail)
                continue
            where = item.where or item.uri
            try:
                yield Found(_sample(item, values, inputs), where)
            except RowError as error:
                yield Problem(where, error.reason, str(error))


def _context(inputs: Inputs, path: Path, notes: list[str]) -> ReadContext:
    return ReadContext(
        "converted",
        note=notes.append,
        path=path.absolute(),
        format=inputs.format,
        columns=dict(inputs.columns),
        named_by=inputs.named_by,
        id_column=inputs.id_column,
        records=inputs.records or "",
        media_dir=inputs.media_dir.absolute() if inputs.media_dir else None,
        allow_outside=inputs.allow_outside,
        text_only="text" in (inputs.modality, inputs.values.get("modality")),
    )


def _paired(stream: Iterator[Candidate | Rejection]) -> Iterator[Candidate | Rejection]:
    """Combine files of a folder that share a stem and differ in kind into one sample: a clip and its image."""
    groups: defaultdict[str, list[Candidate]] = defaultdict(list)
    for item in stream:
        if isinstance(item, Rejection):
            yield item
        else:
            groups[PurePosixPath(item.media[0][1].name).with_suffix("").as_posix()].append(item)
    for stem, group in groups.items():
        kinds = [kind_of(candidate.media[0][1].name) for candidate in group]
        if len(group) == 1 or len(set(kinds)) < len(kinds):
            yield from group
            continue
        first = group[0]
        first.source_id = stem
        first.media = [medium for candidate in group for medium in candidate.media]
        yield first


def _kind(path: str) -> str | None:
    """The kind of a file; a container of videos may hold sound alone, or sound and its cover."""
    kind = kind_of(path)
    if kind != "video":
        return kind
    try:
        return probe(Path(path)).kind
    except MediaError:
        return kind


def _sample(candidate: Candidate, values: Mapping[str, Any], inputs: Inputs) -> Sample:
    sample: Sample = {**values, **{name: value for name, value in candidate.fields.items() if value is not None}}
    sample["id"] = f"{inputs.name}/{candidate.source_id}" if inputs.name else candidate.source_id
    sample["dataset"] = inputs.name
    sample |= {name: value for name in ("split", "config") if (value := getattr(candidate, name)) is not None}
    for kind, blob in candidate.media:
        path = _path(kind, blob)
        known = kind if kind in MEDIA_KINDS else _kind(path)
        if known is None:
            raise RowError("unknown_media", f"{path}: the extension is not that of a known media kind")
        sample.setdefault(f"{known}_paths", []).append(path)
    kinds = [kind for kind in MEDIA_KINDS for _ in sample.get(f"{kind}_paths", ())]
    if candidate.stated_s is not None and (part := stated_whole(candidate.stated_s, _probed(sample))) is not None:
        sample["start_s"], sample["end_s"] = part
    if lacks_media(sample.get("task"), kinds):
        raise RowError("no_media", without_media(sample.get("task")))
    if (channel := sample.pop("channel", None)) is not None and kinds:
        _check_whole(channel, kinds, sample)
    sample["modality"] = inputs.modality or sample.get("modality") or _modality(sample)
    return sample


def _probed(sample: Mapping[str, Any]) -> list[MediaFields]:
    """Kind and fields of each medium; nothing where one can't be read: such a row is a problem of its own."""
    try:
        return [(kind, probe(Path(path)).fields) for kind in MEDIA_KINDS for path in sample.get(f"{kind}_paths", ())]
    except MediaError:
        return []


def _check_whole(channel: Any, kinds: Sequence[str], sample: Sample) -> None:
    """Raise RowError unless the channel is all that its file has: nothing is cut here."""
    count = next((declared(Path(path), "channels") for path in sample.get("audio_paths", ())), None)
    try:
        part = channel_of(channel, kinds, None if count is None else int(count))
    except MediaError as error:
        raise RowError(error.reason, error.detail) from None
    if part is not None:
        raise RowError(
            "channel_unsupported",
            f"channel {part} of {int(count or 0)}: `triptych import`, then `triptych export` cuts it out",
        )


def _path(kind: str, blob: Blob) -> str:
    if blob.remote is not None:
        raise RowError("remote_media", f"{blob.remote.url}: fetch it first, with `triptych import`")
    if blob.path is None:
        raise RowError("embedded_media", f"{kind} is embedded in the table: use `triptych import` and `export`")
    return str(blob.path.absolute())


def _modality(sample: Mapping[str, Any]) -> str:
    if "video_paths" in sample:
        return "mixed" if "audio_paths" in sample else "video"
    return "audio" if "audio_paths" in sample else "text"
