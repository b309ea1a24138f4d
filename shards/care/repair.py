"""Media that is missing or damaged, stored again from wherever the same bytes still are.

A file is known by its SHA-256, so it is taken from any folder that holds those bytes, or from a scratch store into
which the dataset is pulled or imported once more. Only a whole file replaces a damaged one. What cannot be found again
stays as it is and is named.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..media.integrity import digest_in_name
from ..media.media import copy_and_hash, hash_file, is_alive
from ..store.store import Store
from .verify import LostMedia

Remake = Callable[[str, list[str], Store], None]
"""Pulls or imports these samples of a dataset once more, into a scratch store."""


def repair(store: Store, lost: Iterable[LostMedia], *, folder: Path | None, remake: Remake) -> list[str]:
    """Store lost media again; return the paths of the files that are whole now.

    Args:
        folder: A folder of the user's with copies of the files, under any names.
        remake: How to get a dataset's media once more from its source.
    """
    wanted = {digest: each for each in lost if not each.path.startswith("/") and (digest := _digest(each)) is not None}
    repaired: list[str] = []
    if folder is not None:
        _take(store, _matching(folder, wanted), wanted, repaired)
    for dataset, ids in _by_dataset(wanted.values()).items():
        with _scratch_store(store) as scratch:
            remake(dataset, ids, scratch)
            _take(store, scratch.media.files(), wanted, repaired)
    return repaired


def _digest(lost: LostMedia) -> str | None:
    return lost.sha256 or digest_in_name(Path(lost.path))


def _by_dataset(lost: Iterable[LostMedia]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in lost:
        for dataset in each.datasets[:1]:
            found.setdefault(dataset, []).extend(each.ids[:1])  # one of the samples that name it brings it back
    return found


def _matching(folder: Path, wanted: dict[str, LostMedia]) -> Iterator[Path]:
    """The files whose size is one of those wanted: only these are hashed."""
    sizes = {each.bytes for each in wanted.values()}
    for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
        if path.is_file() and (None in sizes or path.stat().st_size in sizes):
            yield path


def _take(store: Store, files: Iterable[Path], wanted: dict[str, LostMedia], repaired: list[str]) -> None:
    for file in files:
        digest, _ = hash_file(file)
        if digest not in wanted:
            continue
        scratch = store.media.new_scratch()
        if copy_and_hash(file, scratch)[0] != digest:
            scratch.unlink()
            continue
        target = store.root / wanted.pop(digest).path
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch.rename(target)
        repaired.append(target.relative_to(store.root).as_posix())
        if not wanted:
            return


@contextmanager
def _scratch_store(store: Store) -> Iterator[Store]:
    """A store on the same disk, deleted at the end; those of processes that were killed are deleted first."""
    host = socket.gethostname()
    for left in (store.root / "partial").glob(f"repair-{host}-*"):
        if not is_alive(int(left.name.rpartition("-")[2])) or left.name == f"repair-{host}-{os.getpid()}":
            shutil.rmtree(left, ignore_errors=True)
    folder = store.root / "partial" / f"repair-{host}-{os.getpid()}"
    try:
        yield Store.create(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
