"""Write JSON Lines files under a temporary name and rename them when complete.

If rows fill different media columns, or others that not every row has, the file starts with witness rows: real rows,
moved to the front, so that a loader that infers types from the first rows (as Arrow's does) sees a value in every such
column.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import UsageError
from ...shards.hash_sets import HashMap

SUFFIXES = ("", ".jsonl", ".json", ".jsonlines", ".ndjson")
_MESSAGE_KEYS = ("loss", "loss_scale")
"""Keys that only some messages have: a loader must see them early too."""
_KNOWN = 64
"""After so many columns and keys, a loader has seen rows that differ and expects any key."""
_BLOCK = 1024 * 1024


def check_outputs(outs: Sequence[Path], inputs: Sequence[Path], *, force: bool) -> None:
    """Raise UsageError if an output is an input, or exists and `force` is not set."""
    for out in outs:
        if out.is_dir():
            raise UsageError(f"{out} is a folder: name the file to write.")
        above = next(parent for parent in out.absolute().parents if parent.exists())
        if not above.is_dir():
            raise UsageError(f"{out} cannot be written: {above} is not a folder.")
        for path in inputs:
            if out.exists() and out.samefile(path):
                raise UsageError(f"{out} is an input: convert never overwrites its inputs.")
        if out.exists() and not force:
            raise UsageError(f"{out} already exists.", hint="choose another name, or overwrite it with --force")


def check_suffix(out: Path) -> None:
    """Raise UsageError for the name of another kind of file, which readers would open as that."""
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{out}: convert writes JSON Lines, not {out.suffix.removeprefix('.')}.",
            hint=f"name it {out.with_suffix('.jsonl')}",
        )


class DuplicateIds:
    """Detects repeated rows and ids, with 16 bytes per row."""

    def __init__(self) -> None:
        self._contents = HashMap()

    def classify(self, row: Mapping[str, Any], line: bytes) -> str | None:
        """`duplicate` for an identical row, `duplicate_id` for a different row with a known id, None for a new id."""
        if not isinstance(row.get("id"), str):
            return None
        key, content = hash(row["id"]), hash(line) & (2**64 - 1)
        before = self._contents.get(key)
        if before is None:
            self._contents.put(key, content)
            return None
        return "duplicate" if before == content else "duplicate_id"


def encode(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSON.

    Raises:
        UnicodeEncodeError: A text contains an unpaired surrogate.
        ValueError: A number is NaN or infinite.
        TypeError: A number has more digits than readers of JSON keep.
    """
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"


class Output:
    """One file being written; it is discarded if the `with` block ends without `publish`."""

    def __init__(self, path: Path, *, columns: Sequence[str] = ()) -> None:
        self.path = path
        self.rows = 0
        self.used: set[str] = set()
        self._columns = columns
        self._partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        self._offset = 0
        self._firsts: dict[str, tuple[int, int]] = {}
        self._fullest: tuple[int, tuple[int, int], frozenset[str]] = (0, (0, 0), frozenset())

    def __enter__(self) -> Output:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._partial.open("wb")
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)

    def write(self, row: Mapping[str, Any], line: bytes) -> None:
        """Add a row; `line` is the row as encoded by `encode`."""
        filled = self._filled(row)
        place = (self._offset, len(line))
        for column in filled:
            self._firsts.setdefault(column, place)
        if len(filled) > self._fullest[0]:
            self._fullest = (len(filled), place, filled)
        self.used |= filled
        self._file.write(line)
        self._offset += len(line)
        self.rows += 1

    def _filled(self, row: Mapping[str, Any]) -> frozenset[str]:
        """The columns, and the keys within them, that this row has a value for and not every row has."""
        filled = {column for column in self._columns if row.get(column)}
        if isinstance(messages := row.get("messages"), list):
            filled |= {key for turn in messages if isinstance(turn, dict) for key in _MESSAGE_KEYS if key in turn}
        if isinstance(extra := row.get("extra"), dict) and len(self._firsts) < _KNOWN:
            filled |= {f"extra.{key}" for key in extra}
        return frozenset(filled)

    def publish(self) -> None:
        """Rename the complete file to its final name."""
        self._file.flush()
        witnesses = self._witnesses()
        if witnesses:
            self._move_forward(witnesses)
        os.fsync(self._file.fileno())
        self._partial.replace(self.path)

    def _witnesses(self) -> list[tuple[int, int]]:
        """Places of the rows to move to the front; empty if the file already starts with them."""
        if not self._firsts:
            return []
        _, fullest, filled = self._fullest
        places = [fullest, *sorted({place for column, place in self._firsts.items() if column not in filled})]
        end = 0
        for offset, length in places:
            if offset != end:
                return places
            end += length
        return []

    def _move_forward(self, places: Sequence[tuple[int, int]]) -> None:
        ordered = self._partial.with_suffix(".ordered")
        try:
            with self._partial.open("rb") as source, ordered.open("wb") as out:
                for offset, length in places:
                    _copy(source, out, offset, length)
                end = 0
                for offset, length in sorted(places):
                    _copy(source, out, end, offset - end)
                    end = offset + length
                _copy(source, out, end, self._offset - end)
                out.flush()
                os.fsync(out.fileno())
            ordered.replace(self._partial)
        finally:
            ordered.unlink(missing_ok=True)


def _copy(source: BinaryIO, out: BinaryIO, offset: int, length: int) -> None:
    source.seek(offset)
    while length > 0:
        block = source.read(min(length, _BLOCK))
        out.write(block)
        length -= len(block)


@contextlib.contextmanager
def opened(outs: Mapping[str, Path], *, columns: Sequence[str] = ()) -> Iterator[dict[str, Output]]:
    """Open several outputs, by name; all unpublished ones are discarded on exit."""
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Output(path, columns=columns)) for name, path in outs.items()}
