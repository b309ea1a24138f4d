"""Which source of a card the user's own files were made for: their names are held against each source's layout.

A source fits if the files have everything that its reader needs, or an archive that the card names, whose content is
only known by opening it. Of several that fit, the one that would read everything that the others would is taken; if
each would read files that the other leaves out, the user has to say which one is meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from ...converters.candidate import Layout
from ...converters.files.extensions import kind_of
from ...converters.files.inside import Inside
from ...converters.files.tree import Found, Tree
from ...converters.readers import get_reader
from ...errors import UsageError
from ..schema.card import Card
from ..schema.files import all_files
from ..schema.source import SourceCard
from .file_names import Naming
from .open import is_archive

_HIGHEST = 3
"""Folders above the user's that are tried for a hint."""
_TRIED = 10_000
"""Names that are tried in each of them."""


def source_of(card: Card, sources: Sequence[SourceCard], path: Path, *, allow_outside: tuple[Path, ...]) -> SourceCard:
    """Return the source whose layout the user's files have; of equals, the first.

    Raises:
        UsageError: The files have the layouts of several sources.
    """
    if all(_reads_alike(source, sources[0]) for source in sources):
        return sources[0]
    tried = [_Tried(source, card.splits) for source in sources]
    for name in _names(path.expanduser().absolute(), allow_outside):
        used = [each.take(name) for each in tried]
        for each, uses in zip(tried, used, strict=True):
            each.left_out.update(number for number, other in enumerate(used) if other and not uses)
    fitting = [number for number, each in enumerate(tried) if each.fits]
    if not fitting:
        return sources[0]
    whole = [number for number in fitting if tried[number].left_out.isdisjoint(fitting)]
    if whole:
        return sources[whole[0]]
    named = [f"{sources[number].kind}:{sources[number].place}" for number in fitting]
    raise UsageError(
        f"--from {path}: it has files of several sources of {card.name}: {' and '.join(named)}.",
        hint=f"choose one: --source '{named[0]}'",
    )


def configs_of_files(card: Card, path: Path, *, allow_outside: tuple[Path, ...]) -> list[str]:
    """Return the configurations that sources name for themselves, of those whose layout the user's files have."""
    tried = [(source, _Tried(source, card.splits)) for source in card.sources if source.configs]
    for name in _names(path.expanduser().absolute(), allow_outside):
        for _, each in tried:
            each.take(name)
    found = {config for source, each in tried if each.fits or each.has_media for config in source.configs or ()}
    return [config for config in card.configs if config in found]


def folder_above(
    source: SourceCard, splits: Collection[str], path: Path, *, allow_outside: tuple[Path, ...]
) -> Path | None:
    """Return the folder above the user's in which its files have the source's layout; None if there is none."""
    path = path.expanduser().absolute()
    if not path.is_dir():
        return None
    names = list(islice(_names(path, allow_outside), _TRIED))
    for top in list(path.parents)[:_HIGHEST]:
        tried = _Tried(source, splits)
        for name in names:
            tried.take(f"{path.relative_to(top).as_posix()}/{name}")
        if tried.has_some:
            return top
    return None


def media_endings(path: Path, *, allow_outside: tuple[Path, ...]) -> list[str]:
    """Return how many media files of each ending the user's folder has: `8 .flac`; the most frequent first."""
    found = Counter(
        PurePosixPath(name).suffix.lower()
        for name in _names(path.expanduser().absolute(), allow_outside)
        if kind_of(name) is not None
    )
    return [f"{count:,} {ending}" for ending, count in found.most_common()]


class _Tried:
    """What one source's reader would read of the user's files.

    Attributes:
        left_out: Numbers of the other sources that would read a file which this one would not.
    """

    def __init__(self, source: SourceCard, splits: Collection[str]) -> None:
        self.left_out: set[int] = set()
        self._layout: Layout = get_reader(source.reader_name).layout(source.reader_options)
        self._unmet = list(self._layout.needs)
        self._naming = Naming(source, splits)
        named = source.named_files
        self._joins = named is not None and any(file.name is not None for file in all_files(named))
        self._has_named = False
        self._took_media = False
        self._met_one = False

    @property
    def fits(self) -> bool:
        return self._has_named or (bool(self._layout.needs) and not self._unmet)

    @property
    def has_media(self) -> bool:
        """Whether there is media at the paths of a layout that needs no other file."""
        return not self._layout.needs and self._took_media

    @property
    def has_some(self) -> bool:
        """Whether there is anything that the layout needs."""
        return self._met_one or self.fits or self.has_media

    def take(self, name: str) -> bool:
        """Whether a file is read; notes what it shows."""
        if self._layout.uses(name):
            unmet = [need for need in self._unmet if not need(name)]
            self._met_one |= len(unmet) < len(self._unmet)
            self._unmet = unmet
            self._took_media |= kind_of(name) is not None
            return True
        is_named = (is_archive(name) or self._joins) and bool(self._naming.of(f"/{name}"))
        self._has_named |= is_named
        return is_named


def _reads_alike(source: SourceCard, other: SourceCard) -> bool:
    return (source.reader_name, source.reader_options) == (other.reader_name, other.reader_options)


def _names(path: Path, allow_outside: tuple[Path, ...]) -> Iterator[str]:
    """Yield the names of the user's files; of an archive its own."""
    if not path.is_dir():
        yield path.name
        return
    walk: Iterable[object] = Tree(path, inside=Inside.of(path, allowed=allow_outside)).walk()
    yield from (found.name for found in walk if isinstance(found, Found))
