"""`catalog pull NAME --list LIST`: the samples of a published evaluation list, annotated with their references.

A card names published lists (`evaluation:`), JSON Lines with one row per utterance:

    {"audio": "path/or/url/of/1089-134686-0000.flac", "prompt": "...", "gt": "the reference", "source": "..."}

A list is downloaded like any file of a source (also through a mirror), or given as a file. Its rows identify samples by
the card's template for `audio`. Only those samples are pulled, from evaluation splits unless splits are named, and get
the annotations `reference` (gt), `evaluation_list` and `evaluation_prompt`. Rows that match no sample or several
samples are reported.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ...converters.readers.annotated.options import media_parts
from ...errors import DamagedError, UsageError
from ...shards.annotate import Annotation, annotate
from ...shards.json_objects import parse
from ...shards.store.annotations import LATEST
from ...shards.store.snapshot import Snapshot
from ...shards.store.sql import quote
from ...shards.store.store import Store
from ..files.mirror import Mirror
from ..schema.card import Card, EvaluationList
from ..sources.download.http import HttpClient
from ..subset.id_list import IdList
from .options import PullOptions
from .pull import PullResult, pull
from .request import PullRequest

log = logging.getLogger("triptych")

LIST_BYTES = 256 * 1024 * 1024
REFERENCE, LIST, PROMPT = "reference", "evaluation_list", "evaluation_prompt"
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ListRow:
    """One row of a list.

    Attributes:
        where: The list and the line.
        id, split, config: The parts of the sample's id given by the path or the card; None if neither does.
    """

    where: str
    list: str
    audio: str
    reference: str
    prompt: str | None
    id: str | None
    split: str | None
    config: str | None


def read_lists(
    request: PullRequest, asked: str | None, *, file: Path | None = None
) -> tuple[list[ListRow], tuple[str, ...]]:
    """Return the rows of the requested lists, and the configurations that they belong to.

    Args:
        asked: A list's name on the card, or a prefix of several (`qwen2-audio` for `qwen2-audio-en`, ...).
        file: A local copy of the list.

    Raises:
        UsageError: The card has no such list, or a line is malformed.
        NetworkError: The list cannot be downloaded.
        DamagedError: The list does not match the card's checksum.
    """
    lists = _chosen(request.card, asked)
    if file is not None and len({each.url for each in lists.values()}) > 1:
        raise UsageError(f"--list-file {file}: the list is ambiguous. Add --list, one of {', '.join(lists)}.")
    texts: dict[str, bytes] = {}
    rows: list[ListRow] = []
    for list_name, evaluation in lists.items():
        if evaluation.url not in texts:
            texts[evaluation.url] = _text(evaluation, request.options, file)
        place = str(file) if file is not None else evaluation.url
        rows.extend(_rows(list_name, evaluation, texts[evaluation.url], place))
    if not rows:
        raise UsageError(f"{request.card.name}: {', '.join(lists)} has no rows of this dataset.")
    return rows, tuple(dict.fromkeys(each.config for each in lists.values() if each.config is not None))


def pull_list(request: PullRequest, rows: Sequence[ListRow], configs: Sequence[str], *, store: Store) -> PullResult:
    """Pull the samples of the rows and write their annotations; rows without a sample count as missing."""
    card, options = request.card, request.options
    names = sorted({row.id for row in rows if row.id is not None})
    label = ", ".join(dict.fromkeys(row.list for row in rows))
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    ids = IdList(Path(label), dict.fromkeys(names, (None,)), digest, has_spans=False)
    list_request = request.with_options(replace(
        options,
        subset=replace(options.subset, ids=ids),
        evaluation=None,
        list_file=None,
        configs=options.configs or tuple(config for config in configs if config in card.configs),
        splits=options.splits or tuple(split for split, role in card.splits.items() if role != "train"),
    ))  # fmt: skip
    result = pull(list_request, store=store)
    with Snapshot(store) as snapshot:
        matches, unmatched = _matched(snapshot, card.name, rows)
        annotations = _annotations(snapshot, card.name, matches)
    if annotations:
        annotate(store, annotations, producer="catalog pull --list")
    notices = [
        f"{label}: {len(matches):,} of {len(rows):,} rows match a sample; {len(annotations):,} annotations written"
    ]
    if unmatched:
        notices.append(_unmatched_notice(unmatched))
    for notice in notices:
        log.warning(notice)
    return replace(result, notices=[*result.notices, *notices], missing=len(unmatched))


def _chosen(card: Card, asked: str | None) -> dict[str, EvaluationList]:
    found = {
        name: each
        for name, each in card.evaluation.items()
        if asked is None or name == asked or (asked not in card.evaluation and name.startswith(f"{asked}-"))
    }
    if not found:
        known = f"It has {', '.join(card.evaluation)}." if card.evaluation else "Its card has none."
        raise UsageError(f"{card.name} has no evaluation list {asked!r}. {known}" if asked else
                         f"{card.name} has no evaluation list.")  # fmt: skip
    return found


def _text(evaluation: EvaluationList, options: PullOptions, file: Path | None) -> bytes:
    if file is not None:
        try:
            data = file.expanduser().read_bytes()
        except OSError as error:
            raise UsageError(f"--list-file {file}: {error.strerror}.") from error
    else:
        with HttpClient() as client:
            mirror = Mirror.open(options.mirror, client=client) if options.mirror else None
            where = mirror.locate(evaluation.url) if mirror is not None else evaluation.url
            data = where.read_bytes() if isinstance(where, Path) else client.read(where, limit=LIST_BYTES)
    found = hashlib.sha256(data).hexdigest()
    if evaluation.sha256 is not None and found != evaluation.sha256:
        raise DamagedError(f"{file or evaluation.url}: its SHA-256 is {found}, but the card says {evaluation.sha256}.")
    return data


def _rows(name: str, evaluation: EvaluationList, data: bytes, place: str) -> Iterator[ListRow]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{place}:{number}"
        row = _parsed(line, where)
        if _is_of_source(row.get("source"), evaluation.source):
            yield _named(name, evaluation, row, where)


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = parse(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {error}.", hint="a list is JSON Lines: audio, prompt, gt, source") from error
    if not isinstance(row, dict) or not isinstance(row.get("audio"), str) or not isinstance(row.get("gt"), str):
        raise UsageError(f"{where}: expected an object with the strings `audio` and `gt`, got {line[:80]!r}.")
    return row


def _is_of_source(value: Any, source: str | list[str] | None) -> bool:
    """Whether a row with this `source` belongs to the list, ignoring case."""
    if source is None:
        return True
    patterns = [source] if isinstance(source, str) else source
    return any(fnmatchcase(str(value).lower(), pattern.lower()) for pattern in patterns)


def _named(name: str, evaluation: EvaluationList, row: dict[str, Any], where: str) -> ListRow:
    audio = str(row["audio"])
    path = unquote(urlsplit(audio).path) if "://" in audio else audio
    parts = media_parts(evaluation.audio, path.replace("\\", "/")) or {}
    prompt = row.get("prompt")
    return ListRow(
        where, name, audio, str(row["gt"]), prompt if isinstance(prompt, str) else None,
        parts.get("id"), parts.get("split"), parts.get("config") or evaluation.config,
    )  # fmt: skip


def _matched(
    snapshot: Snapshot, dataset: str, rows: Sequence[ListRow]
) -> tuple[dict[str, ListRow], list[tuple[ListRow, str]]]:
    """Return the rows by sample id, and the rows that match no sample or several, each with the reason."""
    stored = _stored(snapshot, dataset, {row.id for row in rows if row.id is not None})
    matches: dict[str, ListRow] = {}
    unmatched: list[tuple[ListRow, str]] = []
    for row in rows:
        found = [
            identity
            for identity, config, split in stored.get(row.id or "", ())
            if row.config in (None, config) and row.split in (None, split)
        ]
        if len(found) == 1:
            matches.setdefault(found[0], row)
        else:
            unmatched.append((row, f"{len(found)} samples" if found else "no sample"))
    return matches, unmatched


def _stored(
    snapshot: Snapshot, dataset: str, names: Iterable[str]
) -> dict[str, list[tuple[str, str | None, str | None]]]:
    """Return samples (id, config, split) by corpus id."""
    found: dict[str, list[tuple[str, str | None, str | None]]] = {}
    query = f"""
        SELECT name, id, config, split FROM (
            SELECT id, config, split,
                   substr(id, length(concat_ws('/', dataset, config, coalesce(split, 'all'))) + 2) AS name
            FROM ({snapshot.scan("samples")}) WHERE dataset = {quote(dataset)}
        ) SEMI JOIN (SELECT unnest($1::VARCHAR[]) AS name) USING (name) ORDER BY id
    """
    for name, identity, config, split in snapshot.rows(query, [sorted(names)]):
        found.setdefault(str(name), []).append((str(identity), config, split))
    return found


def _annotations(snapshot: Snapshot, dataset: str, matches: dict[str, ListRow]) -> list[Annotation]:
    """Return the annotations that are not stored yet."""
    known = set(snapshot.rows(
        f"SELECT id, key, {LATEST} FROM ({snapshot.scan('annotations')}) "
        f"WHERE dataset = {quote(dataset)} GROUP BY id, key"
    ))  # fmt: skip
    return [
        Annotation(identity, key, value, row.where)
        for identity, row in matches.items()
        for key, value in ((REFERENCE, row.reference), (LIST, row.list), (PROMPT, row.prompt))
        if value is not None and (identity, key, value) not in known
    ]


def _unmatched_notice(unmatched: Sequence[tuple[ListRow, str]]) -> str:
    shown = "; ".join(f"{row.where}: {row.audio} ({why})" for row, why in unmatched[:_SHOWN])
    more = f"; and {len(unmatched) - _SHOWN:,} more" if len(unmatched) > _SHOWN else ""
    return f"{len(unmatched):,} rows do not match exactly one sample: {shown}{more}"
