"""Purge: nothing of withdrawn samples is left in the store, neither texts, speakers and annotations nor media.

Where such words can be, and what becomes of it, in this order:

    runs, events         requests that name a withdrawn speaker, and what was noted of withdrawn candidates: erased
    manifests, receipts  expressions that name a withdrawn speaker: erased; certificates of splits too
    exports              the data of versions that contain the samples is deleted; the manifest stays, marked withdrawn
    tables               old versions, files that no version names, and the old commits of the logs: deleted
    temporary files      rows and media left by killed exports, copies, imports and downloads: deleted
    media                what old versions, those exports and cuts named, and nothing names any more: deleted

It works while nobody else uses the store, so nothing that it deletes is about to be named or read. Each step can be
repeated. Ids stay in tombstones, and media and speakers as checksums, so that they are known when they come back.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..exports import versions as exports
from ..query import rows_of
from ..store.damage import check_tables
from ..store.sql import quote
from ..store.store import Store
from ..store.use import PATIENCE_S, alone
from ..store_format import TABLE_NAMES
from . import journal
from .facts import chunks, delete_facts
from .journal import Intent
from .media_in_use import cut_targets, named_media, sweep_cuts
from .tombstones import STAGE

ERASED = "[withdrawn]"
_SHORT = 4
"""A speaker with fewer letters is erased only where it is a whole value in quotes."""

_ERASED_KEYS = ("where", "set", "note", "sql", "by", "stratify")


def purge_store(store: Store, intent: Intent, *, patience_s: float | None = None) -> None:
    """Delete what is left of withdrawn samples; the counts go into the journal before anything is deleted.

    Raises:
        DamagedError: A table names a file that is missing, so nobody knows which media is still used.
        TriptychError: The store was in use for too long.
    """
    with alone(store.root, "purge", patience_s=PATIENCE_S if patience_s is None else patience_s):
        check_tables(store)
        if intent.media is None:
            # Media that nothing named before stays: a pull that was killed may name it when it is run again.
            kept = named_media(store, live_only=True, without=intent.exports)
            intent.media = sorted((named_media(store) | cut_targets(store)) - kept)
            journal.write(store, intent)
        _delete_late_facts(store, intent)
        erase = _eraser(intent.words)
        _erase_runs(store, erase)
        _erase_events(store, intent)
        _erase_documents(store, erase)
        _withdraw_exports(store, intent)
        _purge_tables(store, intent)
        _sweep_temporary_files(store, intent)
        _delete_media(store, intent)


def _delete_late_facts(store: Store, intent: Intent) -> None:
    """Delete what was written of the samples by commands that were under way when they were removed."""
    for dataset, ids in intent.ids.items():
        delete_facts(store, dataset, ids)


def _count(store: Store, intent: Intent, **counts: int) -> None:
    """Note what is about to be deleted; the numbers of the first attempt count."""
    for name, count in counts.items():
        intent.purged.setdefault(name, count)
    journal.write(store, intent)


# ---- words


def _eraser(words: Iterable[str]) -> Callable[[str], str]:
    patterns, known = [], set(words)
    for word in sorted(known, key=len, reverse=True):
        for spelling in dict.fromkeys((word, word.replace("'", "''"), json.dumps(word, ensure_ascii=False)[1:-1])):
            escaped = re.escape(spelling)
            patterns.append(escaped if len(word) >= _SHORT else rf"(?<=['\"=]){escaped}(?=['\"])")
    if not patterns:
        return lambda text: text
    expression = re.compile("|".join(patterns))
    return lambda text: ERASED if text in known else expression.sub(ERASED, text)


def _erase_in(document: Any, erase: Callable[[str], str], *, inside: bool = False) -> Any:
    """Erase words in the values of the keys that hold requests."""
    if isinstance(document, dict):
        return {key: _erase_in(value, erase, inside=inside or key in _ERASED_KEYS) for key, value in document.items()}
    if isinstance(document, list):
        return [_erase_in(value, erase, inside=inside) for value in document]
    if inside and isinstance(document, str):
        return erase(document)
    return document


def _erase_runs(store: Store, erase: Callable[[str], str]) -> None:
    for run_id, stage, options in rows_of(store, "runs", "SELECT DISTINCT run_id, stage, options FROM {}"):
        document = json.loads(options) if options else {}
        erased = _erase_in(_without_expression(document) if stage == STAGE else document, erase)
        if erased != document:
            text = json.dumps(erased, sort_keys=True, ensure_ascii=False)
            store.update("runs", f"run_id = {quote(run_id)} AND stage = {quote(stage)}", {"options": text})


def _without_expression(asked: dict[str, Any]) -> dict[str, Any]:
    """A request of a removal without its expression: it names whom it is about."""
    if asked.get("where") is None:
        return asked
    return {key: value for key, value in asked.items() if key != "where"} | {
        "where_sha256": journal.digest_of(str(asked["where"]))
    }


def _erase_events(store: Store, intent: Intent) -> None:
    """Erase what was noted of the candidates: details quote values, and addresses name files."""
    for dataset, ids in intent.ids.items():
        for chunk in chunks(ids):
            listed = ", ".join(map(quote, chunk))
            where = f"dataset = {quote(dataset)} AND stage <> '{STAGE}' AND candidate IN ({listed})"
            if rows_of(store, "events", f"SELECT 1 FROM {{}} WHERE {where} AND (detail <> '' OR uri <> '') LIMIT 1"):
                store.update("events", where, {"detail": "", "uri": ""})


def _erase_documents(store: Store, erase: Callable[[str], str]) -> None:
    manifests = sorted((store.root / "exports").glob("*/v*/manifest.json"))
    for path in [*manifests, *sorted((store.root / "splits").glob("*.json"))]:
        _rewrite(path, lambda document: _erase_in(document, erase))
    for path in sorted((store.root / "receipts").glob("remove-*.json")):
        _rewrite(path, lambda document: document | {"asked": _without_expression(document.get("asked", {}))})


def _rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # `exports verify` names a damaged manifest; it holds nothing that could be read
    if isinstance(document, dict) and (changed := change(document)) != document:
        scratch = path.with_name(f".{path.name}")
        exports.write_json(scratch, changed)
        scratch.rename(path)


# ---- exports and tables


def _withdraw_exports(store: Store, intent: Intent) -> None:
    _count(store, intent, exports=len(intent.exports))
    for reference in intent.exports:
        version = exports.find(store, reference)
        if not version.manifest.get("withdrawn"):
            erased = ("sql", "recipe", exports.NOISE_SAMPLES)
            marked = {key: value for key, value in version.manifest.items() if key not in erased}
            marked["selection"] = {k: v for k, v in marked.get("selection", {}).items() if k != "where"}
            scratch = version.path / ".manifest.json"
            exports.write_json(scratch, marked | {"withdrawn": datetime.now(UTC).isoformat(timespec="seconds")})
            scratch.rename(version.path / "manifest.json")
    for name in exports.names(store):
        for label in exports.labels(store, name):
            version = exports.load(store, name, label)
            if version.manifest.get("withdrawn"):
                _delete_data(version)


def _delete_data(version: exports.Version) -> None:
    for path in version.path.iterdir():
        if path.name not in ("manifest.json", "NOTICE"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _purge_tables(store: Store, intent: Intent) -> None:
    _count(store, intent, table_files=sum(len(_unnamed_files(store, name)) for name in TABLE_NAMES))
    for name in TABLE_NAMES:
        store.vacuum(name)
        for path in _unnamed_files(store, name):  # written by a process that was killed before its commit
            path.unlink()
        store.trim_log(name)


def _unnamed_files(store: Store, name: str) -> list[Path]:
    live = set(store.live_files(name))
    files = (path for path in (store.root / name).rglob("*") if path.is_file() and "_delta_log" not in path.parts)
    return sorted(path for path in files if path not in live)


# ---- temporary files and media


def _sweep_temporary_files(store: Store, intent: Intent) -> None:
    partial = store.root / "partial"
    _count(store, intent, partial_bytes=sum(path.stat().st_size for path in partial.rglob("*") if path.is_file()))
    for path in partial.glob("*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (store.root / "exports").glob("*/.*"):
        if path.name not in (".keys", ".lock"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    store.sweep_views()


def _delete_media(store: Store, intent: Intent) -> None:
    named = named_media(store)
    paths = (store.root / path for path in intent.media or () if path not in named and not path.startswith("/"))
    files = [path for path in paths if path.is_file()]
    _count(store, intent, media_files=len(files), media_bytes=sum(path.stat().st_size for path in files))
    for path in files:
        path.unlink()
    sweep_cuts(store)
