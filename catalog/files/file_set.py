"""File sets: the files of a source for each requested configuration and split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ...converters.candidate import RawStream
from ...errors import GateError
from ..schema.card import Card
from ..schema.files import Group, groups
from ..schema.source import SourceCard
from ..sources.download.http import NotFound
from ..sources.synthetic.source import LANGUAGES, SyntheticSource
from .access import Accepts, Access, password_of
from .open import SEEKABLE, ArchiveOptions, FileOpener, fingerprint_of, is_archive
from .resolve import ResolvedFile, in_number_order, resolve_files


@dataclass(slots=True)
class FileSet:
    """Files that are opened and read together.

    Attributes:
        splits, config: What it contains, as far as the source says.
        place: The URL, path or generator, for people.
        files: Opens it; may be called once. Files that the reader does not accept are skipped unread.
        fingerprint: Equal for the same content, as far as that is known without reading it.
        urls: The URLs that it reads, in order.
        bytes: Size, if known without reading.
        local: Whether it is on this machine.
        listing: Names and paths of the files of a folder; they can be read more than once.
        seekable: Single members can be read without reading everything before them.
        prepare: Starts work that can run while the pull is set up (the checksum of a local archive).
        discard: Deletes its downloads.
    """

    splits: tuple[str, ...]
    place: str
    files: Callable[[Accepts], RawStream]
    fingerprint: str
    config: str | None = None
    urls: tuple[str, ...] = ()
    bytes: int | None = None
    local: bool = False
    listing: Callable[[], Iterable[tuple[str, Path]]] = tuple
    seekable: bool = False
    prepare: Callable[[], None] = field(default=lambda: None)
    discard: Callable[[], None] = field(default=lambda: None)


def file_sets_of(
    source: SourceCard, card: Card, splits: Sequence[str], configs: Sequence[str], access: Access
) -> list[FileSet]:
    """Return the file sets of a source for these splits, in the card's order.

    Raises:
        NotFound, NetworkError: The source cannot be reached.
        GateError: The source is gated, or must be downloaded manually.
    """
    if source.synthetic is not None:
        return [_synthetic(source, splits)]
    if source.manual is not None:
        raise manual_download_error(card, source)
    file_sets: list[FileSet] = []
    missing: dict[str, NotFound] = {}
    for group in groups_of(source, card, splits, configs):
        try:
            file_sets.extend(_file_sets(source, group, access))
        except NotFound as error:
            if access.asked or access.mirror is None or not access.mirror.subset:
                raise
            missing["/".join(filter(None, [group.config, ", ".join(group.splits)]))] = error
    if missing and not file_sets:
        raise next(iter(missing.values()))
    if missing:
        access.notice(f"the mirror has only a subset; skipped: {', '.join(missing)}")
    return file_sets


def groups_of(source: SourceCard, card: Card, splits: Sequence[str], configs: Sequence[str]) -> Iterator[Group]:
    """Yield the groups of files of a source; all files of a corpus with one split are of that split."""
    for group in groups(source.named_files, splits, configs):
        yield replace(group, split=group.split or card.only_split)


def manual_download_error(card: Card, source: SourceCard) -> GateError:
    """Return the error that explains what to download manually, for a corpus that no program may download."""
    gate = card.gate_of(source)
    message = f"{card.name} must be downloaded manually: {(source.manual or '').rstrip('.')}."
    if gate is not None:
        message += f" Requires: {gate.accept} ({gate.where})."
    if card.layout:
        message += f" Expected layout: {card.layout}."
    return GateError(message, hint=f"download it, then: triptych catalog pull {card.name} --from PATH")


def _file_sets(source: SourceCard, group: Group, access: Access) -> list[FileSet]:
    """The file sets of a group: one, or one for each shard."""
    files = resolve_files(source, group, access)
    if not source.shards:
        return [_file_set(source, group, files, access)]
    shards: dict[str, list[ResolvedFile]] = {}
    for file in files:
        shards.setdefault(PurePosixPath(file.name).name.partition(".")[0], []).append(file)
    return [_file_set(source, group, shards[name], access) for name in sorted(shards, key=in_number_order)]


def _file_set(source: SourceCard, group: Group, files: list[ResolvedFile], access: Access) -> FileSet:
    if access.mirror is not None and access.mirror.subset and not access.asked:
        for url in (url for file in files for url in file.urls):
            if not access.mirror.has(url):
                raise NotFound(f"the mirror {access.mirror.name} has no {url}.",
                               hint="copy it there, or choose another --source")  # fmt: skip
    archive_options = ArchiveOptions(group.split, group.config, tuple(source.nested), lambda: password_of(source))
    opener = FileOpener(files, archive_options, access)
    fingerprint, size = fingerprint_of(files, access)
    archives = [file for file in files if is_archive(file.name)]
    first = files[0].urls[0] if len(files) == 1 else f"{(archives or files)[0].urls[0]} and {len(files) - 1} more"
    named = [file.name for file in files] if source.shards else [file.name or file.paths[0] for file in group.files]
    place = first if source.hub is None else _hub_place(source, named, access)
    return FileSet(
        group.splits,
        place,
        opener.files,
        fingerprint,
        config=group.config,
        urls=tuple(url for file in files for url in file.urls),
        bytes=size,
        local=size is not None,
        seekable=all(SEEKABLE.search(file.name) for file in archives),
        prepare=opener.prepare,
        discard=opener.discard,
    )


def _hub_place(source: SourceCard, names: Sequence[str], access: Access) -> str:
    shown = ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")
    host = f"{access.mirror.name}: " if access.mirror is not None else "hub:"
    revision = access.revisions.get(str(source.hub)) or str(source.revision)
    return f"{host}{source.hub}@{revision[:12]}/{shown}"


def _synthetic(source: SourceCard, splits: Sequence[str]) -> FileSet:
    languages = tuple(source.languages) or LANGUAGES
    made = SyntheticSource(kind=str(source.synthetic), seed=source.seed, count=source.count, languages=languages)
    asked = frozenset(splits)
    return FileSet(
        tuple(splits),
        f"synthetic:{source.synthetic}?seed={source.seed}",
        lambda accepts: made.files(wants=lambda split: split in asked),
        f"{made.revision}:{source.count}",
        local=True,
    )
