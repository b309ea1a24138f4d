"""Samples for WebDataset: the rows that shards are packed from, and tar shards themselves.

A file named as a tar archive is read as `webdataset.WebDataset(FILE).decode()` reads it: what it says of a sample is
what that does.
Source: webdataset 1.0, `webdataset.tariterators`, `filters` and `autodecode`.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..findings import Finding, Problem, finding, outcome_of
from ..mend_texts import with_mends
from . import embedded
from .embedded import TASKS, Rows, detect_task, shape
from .tar_samples import SUFFIXES, End, Sample, read_samples

_STOPS = "WebDataset stops: no sample after it is read"
_UNSAID = "WebDataset reads on without a word"


def _stops(stage: str, what: str, mend: str, why: str = _STOPS) -> Problem:
    return Problem(stage, "error", what, why, "crashed", mend)


def _lost(what: str, consequence: str, mend: str) -> Problem:
    return Problem("reading", "error", what, consequence, "deleted", mend)


def _kept(stage: str, severity: Any, what: str, consequence: str, mend: str) -> Problem:
    return Problem(stage, severity, what, consequence, "kept", mend)


_SHARDS = {
    "no_shard": _stops("reading", "no tar archive", "download or pack it again"),
    "cut_member": _stops("reading", "the shard is cut within a member", "download or pack it again"),
    "broken_header": _lost(
        "a header that is damaged or cut", "WebDataset takes it for the end: what follows is lost without a word",
        "download or pack it again",
    ),
    "after_the_end": _lost(
        "content after the archive's end", "WebDataset does not read it, without a word",
        "pack joined archives again: tar --concatenate",
    ),
    "wrong_checksum": _kept(
        "reading", "error", "the compressed file is damaged", "WebDataset compares no checksum: samples may be wrong",
        "download or pack it again",
    ),
    "no_end_mark": _kept(
        "reading", "warning", "no mark of the archive's end", f"if it was cut, rows are missing; {_UNSAID}",
        "compare its size with the original's",
    ),
    "no_samples": _stops(
        "reading", "no samples", "leave the shard out", "WebDataset stops if no other shard has any",
    ),
    "repeated_member": _stops(
        "reading", "two members of one key and suffix", "give each its own name; upper case does not count",
    ),
    "skipped_member": _lost("a member that no sample has", "it is left out without a word",
                         "pack plain files named KEY.SUFFIX"),
    "repeated_key": _kept(
        "reading", "error", "a key that an earlier sample has", "the reader gives two samples: the members of one must "
        "stand one after the other", "pack it again, sorted by name",
    ),
    "dotted_name": _kept(
        "reading", "warning", "a number before the suffix", "the key ends at the first dot of the name",
        "leave dots out of names: KEY.SUFFIX",
    ),
    "missing_member": _kept(
        "reading", "warning", "lacks what nearly all samples have", "the reader gives it so; `to_tuple` stops at it",
        "add the member, or leave the sample out",
    ),
    "empty_member": _kept(
        "reading", "error", "a member of 0 bytes that is no text", "the reader gives it; what decodes it stops",
        "pack the sample again",
    ),
    "bad_member": _stops(
        "decoding", "a member that is not what its suffix says", "correct it", "`decode()` stops the run",
    ),
    "pickled_member": _kept(
        "decoding", "error", "a pickle", "`decode()` runs what it holds", "store arrays as npy, objects as json",
    ),
}  # fmt: skip
PROBLEMS = with_mends("webdataset", {**embedded.PROBLEMS, **_SHARDS})

_NEARLY_ALL = 0.9
_TEXTS = frozenset(("txt", "text", "transcript", "lab", "caption"))
_DOTTED = re.compile(r"\d[^.]*[.].")
_PICKLED = frozenset(("pkl", "pickle", "pyd"))
_DECODED: dict[str, Callable[[bytes], Any]] = {
    **dict.fromkeys(("json", "jsn"), json.loads),
    **dict.fromkeys(("txt", "text", "transcript"), lambda held: held.decode("utf-8")),
    **dict.fromkeys(("cls", "cls2", "index", "inx", "id"), int),
}
"""Suffixes whose members `decode()` reads without a further package."""
_WANTED = frozenset((*_DECODED, "gz"))


def examine(path: Path) -> Iterator[tuple[int | None, list[Finding]]]:
    """Yield the findings of each sample of a shard by its number, and last, with None, those of the whole shard."""
    seen: dict[str, int] = {}
    kinds: list[frozenset[str]] = []
    known: dict[frozenset[str], frozenset[str]] = {}
    for number, sample in enumerate(read_samples(path, wanted=_WANTED), 1):
        if isinstance(sample, End):
            yield from _ended(sample, number)
            break
        found = list(_sample(number, sample))
        first = seen.setdefault(sample.key, number)
        if first != number:
            detail = f"that of sample {first}"
            found.append(finding(PROBLEMS, "repeated_key", number, detail=detail, column="__key__", value=sample.key))
        kind = frozenset(sample.members)
        kinds.append(known.setdefault(kind, kind))
        yield number, found
    lacking = list(_lacking(kinds))
    if lacking:
        yield None, lacking


def _ended(end: End, number: int) -> Iterator[tuple[int | None, list[Finding]]]:
    """What is wrong at the end; it counts as a sample if at least one is lost there."""
    found = [_skipped(number, *member) for member in end.skipped]
    lost = end.code is not None and PROBLEMS[end.code].outcome != "kept"
    if end.code is not None:
        named = end.lost.key if end.lost else None
        found.append(finding(PROBLEMS, end.code, number, detail=end.detail, column="__key__", value=named))
    if number == 1 and outcome_of(found) != "crashed":
        found.append(finding(PROBLEMS, "no_samples", 0))
    if found:
        yield (number if lost else None), found


def _skipped(number: int, name: str, why: str) -> Finding:
    return finding(PROBLEMS, "skipped_member", number, detail=why, column="member", value=name)


def _sample(number: int, sample: Sample) -> Iterator[Finding]:
    for name, why in sample.skipped:
        yield _skipped(number, name, why)
    for suffix, member in sample.members.items():
        last = suffix.rpartition(".")[2]
        if _DOTTED.match(suffix):
            yield finding(PROBLEMS, "dotted_name", number, column=suffix, value=member.name)
        refused = None if member.content is None else _refused(suffix, member.content)
        if refused is not None:
            yield finding(PROBLEMS, "bad_member", number, detail=refused, column=suffix, value=member.name)
        elif last in _PICKLED:
            yield finding(PROBLEMS, "pickled_member", number, column=suffix, value=member.name)
        elif not member.size and last not in (*_TEXTS, *_DECODED):
            yield finding(PROBLEMS, "empty_member", number, column=suffix, value=member.name)


def _refused(suffix: str, held: bytes) -> str | None:
    """Why `decode()` cannot read a member, or None."""
    try:
        while suffix.endswith(".gz"):
            suffix, held = suffix.removesuffix(".gz"), gzip.decompress(held)
        last = suffix.rpartition(".")[2]
        if last in _DECODED:
            _DECODED[last](held)
    except (ValueError, RecursionError, OSError, EOFError, zlib.error) as error:
        return str(error)
    return None


def _lacking(kinds: list[frozenset[str]]) -> Iterator[Finding]:
    """The samples without a member that nearly all have."""
    counts = Counter(suffix for kind in kinds for suffix in kind)
    common = {suffix for suffix, count in counts.items() if _NEARLY_ALL * len(kinds) <= count < len(kinds)}
    for number, kind in enumerate(kinds, 1) if common else ():
        if missing := common - kind:
            yield finding(PROBLEMS, "missing_member", number, detail=", ".join(sorted(missing)), column="member")


__all__ = ["PROBLEMS", "SUFFIXES", "TASKS", "Rows", "detect_task", "examine", "shape"]
