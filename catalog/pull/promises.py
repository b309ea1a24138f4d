"""The stage that holds a source to what its card promises, and to the splits that its files state.

It counts the candidates of each split that lack a promised field. A field that all of them lack ends the pull at the
end of the file set; candidates wait until each promised field of their split was seen once, so that a small corpus is
refused before any of it is stored. A field that more than a tenth of them lack is a notice. The same holds for files of
which every sample was rejected for want of a transcript, a row or a split.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...converters.candidate import Candidate, Rejection
from ...converters.readers.mapping.field_map import compile_value
from ...converters.readers.mapping.option_types import texts
from ...errors import DamagedError
from ..schema.card import Card
from ..schema.files import all_files
from ..schema.source import SourceCard
from ..subset.filter import discard_media
from .candidates import NO_SPLIT, UNKNOWN_SPLIT, FileSetRead, Item, Items

MISSING_SHARE = 0.1
_SHOWN = 4
"""Names of files that a line for the user has."""
HELD = 1000
HELD_BYTES = 64 * 1024 * 1024
"""Of media in memory or in temporary files."""

_UNPAIRED: Mapping[str, tuple[str, str | None]] = {
    NO_SPLIT: ("does not say which split it is of", "split"),
    UNKNOWN_SPLIT: ("is of a split that the card does not have", "split"),
    "no_transcript": ("has no transcript", "text"),
    "no_row": ("has no row in a table", None),
    "no_sidecar": ("has no sidecar", None),
}
"""Reason of a rejection -> what its sample lacks, for people, and the field."""


@dataclass(slots=True)
class _Seen:
    """The candidates of one split of one configuration.

    Attributes:
        unseen: The promised fields that no candidate has had.
    """

    config: str | None
    split: str
    promised: tuple[str, ...]
    count: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.unseen = [*self.promised]

    def take(self, fields: Mapping[str, Any]) -> None:
        self.count += 1
        for name in self.promised:
            if _is_blank(fields.get(name)):
                self.missing[name] += 1
            elif name in self.unseen:
                self.unseen.remove(name)

    @property
    def place(self) -> str:
        return f"{self.config}/{self.split}" if self.config else self.split


class Promises:
    """What was promised and what was seen, over all file sets and passes of one pull."""

    def __init__(
        self,
        card: Card,
        source: SourceCard,
        *,
        by_id: bool,
        stored: Callable[[], int],
        notice: Callable[[str], None],
    ) -> None:
        """Begin a pull.

        Args:
            by_id: Only the samples of a list of ids are read, which say nothing of the others: none of them is refused.
            stored: Returns the number of samples that this pull has stored.
            notice: Takes a line for the user.
        """
        self._card = card
        self._source = source
        self._by_id = by_id
        self._stored = stored
        self._notice = notice
        self._seen: dict[tuple[str | None, str | None], _Seen] = {}
        self._unpaired: Counter[str] = Counter()
        self._taken = 0

    def watch(self, items: Iterator[Any]) -> Items:
        """Yield the same items; raises DamagedError at the end of a file set whose samples break a promise."""
        held: deque[Item] = deque()
        held_bytes = 0
        try:
            for item in items:
                if isinstance(item, FileSetRead):
                    self._check_pairing()
                    self._check_seen()
                self._count(item)
                held.append(item)
                held_bytes += _bytes_of(item)
                if len(held) < HELD and held_bytes < HELD_BYTES and self._is_in_doubt():
                    continue
                while held:
                    yield held.popleft()
                held_bytes = 0
        finally:
            for item in held:
                if isinstance(item, Candidate):
                    discard_media(item)

    def settle(self) -> None:
        """Check a pull that ended before the end of its file set, and notify of what is often missing.

        Raises:
            DamagedError: A promised field is missing from every sample of a split.
        """
        self._check_seen()
        for seen in self._seen.values():
            for name, count in seen.missing.items():
                if count > MISSING_SHARE * seen.count:
                    self._notice(
                        f"{count:,} of {seen.count:,} samples of {seen.place} have no {name}, which the card promises; "
                        f"looked for in {looked_for(self._source, name, seen.split)}"
                    )

    def _is_in_doubt(self) -> bool:
        return not self._by_id and any(seen.unseen for seen in self._seen.values())

    def _count(self, item: Item) -> None:
        if isinstance(item, Rejection):
            if item.reason in _UNPAIRED:
                self._unpaired[item.reason] += 1
        elif isinstance(item, Candidate):
            self._taken += 1
            if item.split is not None and not item.settled:
                self._seen_of(item).take(item.fields)

    def _seen_of(self, item: Candidate) -> _Seen:
        key = item.config, item.split
        if key not in self._seen:
            split, given = str(item.split), self._card.defaults(item.config)
            # What the card gives to every sample cannot be missing.
            promised = tuple(name for name in self._card.promised(split) if given.get(name) is None)
            self._seen[key] = _Seen(item.config, split, promised)
        return self._seen[key]

    def _check_pairing(self) -> None:
        """Raises DamagedError if no sample at all was found, and each file lacks the same counterpart."""
        taken, self._taken = self._taken, 0
        for reason, count in self._unpaired.items():
            lacks, name = _UNPAIRED[reason]
            if not taken:
                files = "the only sample" if count == 1 else f"each of {count:,} samples"
                raise self._broken(f"{files} {lacks}; looked for it in {looked_for(self._source, name, None)}")
        self._unpaired.clear()

    def _check_seen(self) -> None:
        for seen in self._seen.values() if not self._by_id else ():
            for name in seen.unseen:
                samples = "the only sample" if seen.count == 1 else f"none of {seen.count:,} samples"
                what = f"has no {name}" if seen.count == 1 else f"has a {name}"
                raise self._broken(
                    f"{samples} of {seen.place} {what}, which the card promises for every one; looked for in "
                    f"{looked_for(self._source, name, seen.split)}"
                )

    def _broken(self, why: str) -> DamagedError:
        stored, name = self._stored(), self._card.name
        if stored:
            return DamagedError(
                f"{name}: {why}. {stored:,} samples of this pull are stored.",
                hint=f"to take them out again: triptych store remove {name}",
            )
        return DamagedError(
            f"{name}: {why}. Nothing of it was stored.",
            hint=f"compare the files with the layout: triptych catalog show {name}",
        )


def _is_blank(value: Any) -> bool:
    """Whether a value says nothing: null, or texts of nothing but white space."""
    if isinstance(value, list):
        return all(map(_is_blank, value))
    return value is None or (isinstance(value, str) and not value.strip())


def looked_for(source: SourceCard, name: str | None, split: str | None) -> str:
    """Return where a source's reader takes a field from: files, columns or paths, for people.

    Args:
        name: The field, or `split`; None for the tables that pair files with rows.
        split: Replaces `{split}` in the names of files.
    """
    options = source.reader_options
    if source.reader_name == "annotated":
        found = _of_tables(options, name)
    elif name in options and source.reader_name == "columns":
        found = [f"the column {', '.join(dict.fromkeys(compile_value(options[name]).uses)) or name}"]
    elif name == "split" and source.named_files is not None:
        files = [path for file in all_files(source.named_files) for path in file.paths]
        found = [f"the names of the files, {', '.join(files[:_SHOWN])}{' ...' if len(files) > _SHOWN else ''}"]
    else:
        found = [str(options[key]) for key in ("transcripts",) if key in options]
    shown = " or ".join(dict.fromkeys(found)) or f"the files of the reader {source.reader_name!r}"
    return shown.replace("{split}", split) if split is not None else shown


def _of_tables(options: Mapping[str, Any], name: str | None) -> list[str]:
    """Return the tables with the columns of a field, as far as the card names their columns; else all of them."""
    spec = options.get("split") if name == "split" else (options.get("columns") or {}).get(name)
    uses = set(compile_value(_value(spec)).uses) if spec else set()
    tables = [table for table in options.get("tables") or [] if "names" not in table]
    having = [table for table in tables if uses & {*(table.get("header") or []), *(table.get("set") or {})}]
    open_headed = [table for table in tables if not table.get("header")]
    chosen = having or open_headed or tables
    files = [each for table in chosen for each in texts(table["file"], "file")]
    return files or [each for media in options.get("media", {}).values() for each in texts(media, "media")]


def _value(spec: Any) -> Any:
    return {key: value for key, value in spec.items() if key != "only"} if isinstance(spec, Mapping) else spec


def _bytes_of(item: Item) -> int:
    if not isinstance(item, Candidate):
        return 0
    return sum(blob.size for _, blob in item.media if blob.data is not None or (blob.temporary and blob.path))
