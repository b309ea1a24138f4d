"""Import your own data into a store, without a card: `triptych import FORMAT PATH --name NAME`.

`formats.py` lists the formats; a reader in `readers/` parses each; `ingest.py` writes its candidates to the store.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UsageError, did_you_mean
from ...shards.events import Account, Run
from ...shards.json_lines import MB
from ...shards.sample import check_name
from ...shards.store.snapshot import Snapshot
from ...shards.store.sql import quote
from ...shards.store.store import Store
from ..candidate import RawFile, RawStream, ReadContext
from ..ingest.ingest import Ingest
from ..ingest.options import IngestOptions
from ..readers import get_reader
from ..readers.alignments.interval import AlignmentContext
from ..spans import channels_in
from .alignments import import_alignments, suffix_of
from .columns import LIST_FIELDS, check_field, set_value
from .earlier_rows import find_gone, find_overridden, shown, take_out
from .formats import FORMATS, ImportFormat
from .input_files import input_files
from .options import ImportOptions
from .predictions import FORMAT, import_predictions
from .shard_patterns import is_pattern, matching_files
from .split_names import name_splits

log = logging.getLogger("triptych")

FILE_FIELDS = ("split", "config")
"""Fields that `--set` sets for every file: they are part of the ids, and a value in a row takes precedence."""


@dataclass(slots=True)
class ImportResult:
    """The result of an import: its account, the number of updated rows, and notes on what was skipped.

    Attributes:
        repeated: Rows whose id another row of the same import has, with different content.
        gone: Rows stored from this input earlier that are no longer in it; known only where changed rows are updated.
        taken_out: How many of them `--sync` took out.
        overridden: Updated rows, each with a key whose new value an annotation overrides.
    """

    dataset: str
    run_id: str
    account: Account
    updated: int
    notes: list[str] = field(default_factory=list)
    repeated: int = 0
    gone: int = 0
    taken_out: int = 0
    overridden: list[tuple[str, str]] = field(default_factory=list)


CASE = "case"
CASES = ("upper", "mixed")
"""Values of `--set case=...`, a fact about the whole dataset: clean text of an upper-case corpus is in lower case."""


def import_data(
    format: str,
    path: str | Path,
    *,
    store: Store,
    options: ImportOptions,
    open_archive: Callable[[RawFile, Path], RawStream] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Import a table, a folder of media or a corpus in a common format as the dataset `options.name`.

    Args:
        format: A key of `formats.FORMATS`: `csv`, `folder` ...
        open_archive: Opens an archive and yields raw files, given a folder for large members.

    Raises:
        UsageError: No such file, format, column or field.
    """
    path = Path(path).expanduser().absolute()
    check_request(format, path, options=options)
    spec = FORMATS[format]
    defaults = _defaults(options.values)
    case = defaults.pop(CASE, None)
    notes: list[str] = []
    asked = {name: value for name, value in options.asked().items() if name != "name"}
    run = Run("import", options.name, f"import {format}", asked | _recorded_options(path, options))
    if case is not None:
        run.details["corpus"] = {"case": case}
    if format == FORMAT:
        import_predictions(path, store=store, run=run, min_wer=options.min_wer, producer=options.producer)
        return _finished(run, 0, store, path, spec, notes)
    if spec.aligns:
        ending = suffix_of(format)
        files = input_files(
            spec, path, lambda name: name.lower().endswith(ending), allow_outside=options.allow_outside,
            note=notes.append, checksums=True,
        )  # fmt: skip
        alignment = AlignmentContext(options.word_tier, options.phone_tier, notes.append)
        import_alignments(format, files, store=store, run=run, context=alignment, producer=options.producer)
        return _finished(run, 0, store, path, spec, notes)
    context = ReadContext(
        options.name,
        spool=store.media.scratch,
        note=notes.append,
        path=path,
        format=format,
        columns=dict(options.columns),
        id_column=options.id_column,
        records=options.records or "",
        media_dir=options.media_dir.absolute() if options.media_dir else None,
        allow_outside=options.allow_outside,
        text_only=defaults.get("modality") == "text",
        looks_for_media=True,
        classes=_class_names(options.classes) if options.classes else (),
        largest_line=options.max_line_mb * MB,
        open_archive=(lambda file: open_archive(file, store.media.scratch)) if open_archive else None,
    )
    log.info("import %s: %s with the reader %s", options.name, path, spec.reader)
    reader = get_reader(spec.reader)
    files = input_files(
        spec, path, reader.accepts, allow_outside=options.allow_outside, note=notes.append, checksums=True
    )
    _refuse_pulled(store, options.name)
    store.media.sweep_scratch()
    ingest = Ingest(
        store,
        run,
        IngestOptions(
            defaults=defaults,
            link=options.link,
            on_conflict="update" if options.updates else "reject",
            compare="origin" if options.sync else "row",
            progress=progress,
        ),
    )
    marked = _marked(files, options.values)
    if spec.named_splits and "split" not in options.values:
        marked = _with_splits(marked, notes.append)
    ingest.take(reader.read(marked, context))
    gone = find_gone(store, run, _inputs(path), ingest.seen) if options.updates else []
    taken_out = _sync(store, run, ingest, gone, notes) if options.sync else 0
    if gone and not taken_out:
        notes.append(f"{len(gone):,} stored rows are no longer in {path}: {shown(gone)}; to take them out: --sync")
    run.details.update({"gone": len(gone), "taken_out": taken_out} if gone else {})
    result = _finished(run, ingest.updated, store, path, spec, notes)
    result.repeated, result.gone, result.taken_out = ingest.repeated, len(gone), taken_out
    result.overridden = find_overridden(store, options.name, ingest.updated_ids)
    if result.overridden:
        identity, key = result.overridden[0]
        names = shown([f"{name} {key}" for name, key in result.overridden])
        notes.append(
            f"{len(result.overridden):,} updated values are overridden by an annotation: {names}; "
            f"to clear one: triptych annotate {identity} {key} --clear"
        )
    return result


def _refuse_pulled(store: Store, name: str) -> None:
    """Raise UsageError if the dataset's rows were pulled: what a card says is of its own rows alone."""
    if not store.count_rows("samples").get(name):
        return
    with Snapshot(store) as snapshot:
        stages = snapshot.rows(
            f"SELECT DISTINCT stage FROM ({snapshot.scan('runs')}) WHERE dataset = {quote(name)} AND kept > 0 "
            "AND stage IN ('pull', 'import')"
        )
    if stages == [("pull",)]:
        raise UsageError(
            f"The dataset {name!r} of this store was pulled by its card: an import would mix its rows with others.",
            hint=f"another --name: --name {name}-own",
        )


def _inputs(path: Path) -> list[Path]:
    return [path] if path.exists() else list(matching_files(path))


def _sync(store: Store, run: Run, ingest: Ingest, gone: list[str], notes: list[str]) -> int:
    """Take out the rows that are gone, unless rows of the input could not be read: these might be among them."""
    if ingest.unnamed or not run.account.candidates:
        why = f"{ingest.unnamed:,} rows of the input could not be read" if ingest.unnamed else "the input has no rows"
        if gone:
            notes.append(f"--sync took nothing out: {why}, and {len(gone):,} stored rows were not found in it")
        return 0
    if gone:
        take_out(store, run, gone)
        notes.append(f"{len(gone):,} rows that are no longer in the input were taken out: {shown(gone)}")
    return len(gone)


def _recorded_options(path: Path, options: ImportOptions) -> dict[str, Any]:
    """The options that every record of an import contains, even at their defaults."""
    return {"path": str(path), "set": dict(options.values), "link": options.link}


def _finished(run: Run, updated: int, store: Store, path: Path, spec: ImportFormat, notes: list[str]) -> ImportResult:
    run.finish(store)
    log.info("import %s: %d stored of %d rows", run.dataset, run.account.kept, run.account.candidates)
    if not run.account.candidates:
        notes.append(f"{path} contains no {spec.holds}: nothing was imported{_deeper(path, spec)}")
    if run.account.dropped == {"missing_media": run.account.candidates} and "media_dir" in spec.options:
        notes.append("the media of no row was found; if the paths are relative to another folder: --media-dir DIR")
    return ImportResult(run.dataset, run.run_id, run.account, updated, notes)


def _deeper(path: Path, spec: ImportFormat) -> str:
    """Where files of the format are that this import does not read, if that is the reason."""
    if not path.is_dir() or spec.files == "tree":
        return ""
    accepts = get_reader(spec.reader).accepts
    found = next((each for each in sorted(path.glob("*/*")) if accepts(each.name)), None)
    return "" if found is None else f" (folders in it are not entered, and {found.relative_to(path)} is in one)"


def check_request(format: str, path: str | Path, *, options: ImportOptions) -> None:
    """Raise UsageError if an import cannot succeed, before a store is created for it."""
    path = Path(path).expanduser().absolute()
    check_name(options.name, what="dataset")
    if format not in FORMATS:
        raise UsageError(
            f"There is no import format {format!r}. Formats: {', '.join(FORMATS)}.", hint=did_you_mean(format, FORMATS)
        )
    _check_path(format, path)
    options.check_format(format)
    _defaults(options.values)


def _check_path(format: str, path: Path) -> None:
    reads = FORMATS[format].reads
    if reads == "shards" and is_pattern(path):
        matching_files(path)
        return
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder.")
    if not ((path.is_dir() and reads != "file") or (path.is_file() and reads != "folder")):
        kind = reads if reads in ("file", "folder") else "file or folder"
        raise UsageError(f"{path} is not a {kind}: `import {format}` reads a {kind}.")


def _defaults(values: Mapping[str, str]) -> dict[str, Any]:
    """The columns set by `--set`, checked; split and config are attached to the files instead."""
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        if key == CASE:
            if value not in CASES:
                raise UsageError(f"--set case={value}: how the corpus writes its text is {' or '.join(CASES)}.")
            defaults[key] = value
            continue
        if key != "panel":
            check_field(key, where="--set")
        if key in FILE_FIELDS:
            check_name(value, what=key)
            continue
        if key in ("id", "audio", "video", "image", "media", "words", "phones", "messages", "start_s", "end_s"):
            raise UsageError(f"--set: {key!r} differs from row to row; map a column to it: --map COLUMN={key}.")
        defaults[key] = (
            [value] if key in LIST_FIELDS else _channel(value) if key == "channel" else set_value(key, value)
        )
    return defaults


def _marked(files: RawStream, values: Mapping[str, str]) -> RawStream:
    """The files with the split and configuration of `--set`."""
    for file in files:
        if isinstance(file, RawFile):
            file.split, file.config = values.get("split"), values.get("config")
        yield file


def _with_splits(files: RawStream, note: Callable[[str], None]) -> RawStream:
    """The files with the splits that their names contain."""
    listed = list(files)
    name_splits([file for file in listed if isinstance(file, RawFile)], note)
    yield from listed


def _channel(value: str) -> int:
    channels = channels_in(value) or []
    if len(channels) != 1:
        raise UsageError(f"--set channel={value}: a channel is a number from 0, A or B, left or right.")
    return channels[0]


def _class_names(path: Path) -> list[str]:
    """The names of classes 0, 1, 2 ..., one per line."""
    try:
        names = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--classes {path}: {error}.") from None
    if not names or not all(name.strip() for name in names):
        raise UsageError(f"--classes {path}: expected a class name on every line.")
    return [name.strip() for name in names]
