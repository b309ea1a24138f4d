"""Your own data into a store, without a card: `triptych import csv|json|jsonl|folder|parquet`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..shards.events import Account, Run
from ..shards.sample import MODALITIES, PANELS, check_name
from ..shards.store import Store
from .fields import LIST_FIELDS, check_field
from .ingest import Ingest, IngestOptions
from .raw import RawFile, ReadContext
from .readers import get_reader

FORMATS = ("csv", "json", "jsonl", "parquet", "folder")


@dataclass(slots=True)
class ImportResult:
    """What an import did: its account, how many rows it updated, what it passed over, the first rejections."""

    dataset: str
    run_id: str
    account: Account
    updated: int
    notes: list[str] = field(default_factory=list)


def import_data(
    format: str,
    path: str | Path,
    *,
    name: str,
    store: Store,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    id_column: str | None = None,
    media_dir: str | Path | None = None,
    link: bool = False,
    on_conflict: str = "reject",
    progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Import a table or a folder of media as the dataset `name`.

    Args:
        format: `csv`, `json`, `jsonl`, `parquet` or `folder`.
        columns: Column of the table -> field of the sample; common names are understood without.
        values: Field -> value for every row, for example `{"task": "asr", "language": "zh"}`.
        link: Name media where it lies instead of copying it.
        on_conflict: `reject` (default) or `update` rows whose id is stored with other content.

    Raises:
        UsageError: No such file, format, column or field.
    """
    path = Path(path).expanduser().absolute()
    check_request(format, path, name=name, on_conflict=on_conflict)
    defaults = _defaults(values or {})
    options = _reader_options(format, columns, id_column, media_dir, defaults)
    run = Run("import", name, f"import {format}", {"path": str(path), "set": dict(values or {}), "link": link})
    store.media.sweep_scratch()
    ingest = Ingest(
        store,
        run,
        IngestOptions(defaults=defaults, link=link, on_conflict=on_conflict, compare="row", progress=progress),
    )
    context = ReadContext(name, options)
    reader = get_reader("folder" if format == "folder" else "table")
    ingest.take(reader(_files(format, path, defaults), context))
    run.finish(store)
    if not run.account.candidates:
        options["notes"].append(f"{path} holds no {'media' if format == 'folder' else 'rows'}: nothing was imported")
    return ImportResult(name, run.run_id, run.account, ingest.updated, list(options["notes"]))


def check_request(format: str, path: str | Path, *, name: str, on_conflict: str = "reject") -> None:
    """Raises UsageError where nothing could come of an import: before a store is made for it."""
    path = Path(path).expanduser().absolute()
    check_name(name, what="dataset")
    if format not in FORMATS:
        raise UsageError(f"import reads {', '.join(FORMATS)}; not {format!r}.")
    if on_conflict not in ("reject", "update"):
        raise UsageError(f"--on-conflict takes 'reject' or 'update', not {on_conflict!r}.")
    if not path.exists():
        raise UsageError(f"{path}: there is no such file or folder.")
    if not (path.is_dir() if format == "folder" else path.is_file()):
        kind = "folder" if format == "folder" else "file"
        raise UsageError(f"{path} is not a {kind}: `import {format}` reads a {kind}.")


def _defaults(values: Mapping[str, str]) -> dict[str, Any]:
    """The columns that `--set` fills, checked."""
    defaults: dict[str, Any] = {}
    for key, value in values.items():
        if key != "panel":
            check_field(key, where="--set")
        if key in ("id", "audio", "video", "image", "media", "split", "config", "words", "phones", "messages"):
            raise UsageError(f"--set: {key!r} differs from row to row; map a column to it: --map COLUMN={key}")
        if key == "panel" and value not in PANELS:
            raise UsageError(f"--set panel={value}: panels are {', '.join(PANELS)}.")
        if key == "modality" and value not in MODALITIES:
            raise UsageError(f"--set modality={value}: modalities are {', '.join(MODALITIES)}.")
        defaults[key] = [value] if key in LIST_FIELDS else value
    return defaults


def _reader_options(
    format: str,
    columns: Mapping[str, str] | None,
    id_column: str | None,
    media_dir: str | Path | None,
    defaults: Mapping[str, Any],
) -> dict[str, Any]:
    if format == "folder" and (columns or id_column):
        raise UsageError("import folder has no columns to map: --map and --id-column are for tables.")
    if media_dir is not None and not Path(media_dir).is_dir():
        raise UsageError(f"--media-dir {media_dir}: there is no such folder.")
    return {
        "format": format,
        "map": dict(columns or {}),
        "id_column": id_column,
        "media_dir": Path(media_dir).expanduser().absolute() if media_dir else None,
        "text_only": defaults.get("modality") == "text",
        "notes": [],
    }


def _files(format: str, path: Path, defaults: Mapping[str, Any]) -> Iterator[RawFile]:
    if format != "folder":
        yield _raw(path, path.name, _checksum(path))
        return
    for found in sorted(path.rglob("*")):
        inside = found.relative_to(path)
        if found.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield _raw(found, inside.as_posix(), "")


def _raw(path: Path, name: str, revision: str) -> RawFile:
    return RawFile(name, path.as_uri(), revision, path.stat().st_size, lambda: path.open("rb"), path=path)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
