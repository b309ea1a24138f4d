"""The user's own copy as a file set: an archive, its unpacked tree, or a folder of downloads.

No gate is checked and no network is used. A folder of downloaded archives is read like an unpacked tree, with the
archives opened in place; the parts of a split archive are joined by their names on the card.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from ...converters.candidate import RawFile, RawStream, Rejection
from ...converters.files.inside import Inside
from ...converters.files.tree import Found, Tree
from ...errors import UsageError
from ..schema.files import FileCard, all_files
from ..schema.source import SourceCard
from ..sources.archives.reader import members
from ..sources.archives.split_files import JoinedStream
from ..sources.download.checksums import Expected, Verification, file_fingerprint, tree_fingerprint
from ..sources.folder import tree
from .access import Accepts, Access, password_of
from .file_names import Named, Naming
from .file_set import FileSet
from .open import ARCHIVE, VERIFY_FIRST_BYTES, is_archive, local_file, open_later
from .resolve import in_number_order
from .shard_numbers import incomplete_series

_LINES = 5
"""Of notices about a folder."""


def file_set_from(
    path: Path,
    source: SourceCard,
    splits: Sequence[str],
    configs: Sequence[str],
    access: Access,
    *,
    known: Collection[str] = (),
) -> FileSet:
    """Return the user's own files as one file set.

    Args:
        splits: The requested splits. They select samples and name the split of a single table, but never that of a
            folder or archive, which may hold others too.
        known: All splits of the card.

    Raises:
        UsageError: `path` does not exist, its split is unknown, or its name says another one.
    """
    path = path.expanduser().absolute()
    config = configs[0] if len(configs) == 1 else None
    known = tuple(known or splits)
    mark = partial(_marked, split=known[0] if len(known) == 1 else None, config=config)
    naming = Naming(source, known, left_out=access.other_configs)
    if path.is_dir():
        top = _top(path, source)
        above = _above(path, top)
        tables: list[str] = []
        fingerprint = tree_fingerprint(_noting(tables, _found(path, access), above))
        named = {name: of for name in tables if (of := naming.of(f"{top}/{name}"))}
        for line in [*incomplete_series(tables), *_twice(named)][:_LINES]:
            access.notice(f"{path}: {line}")
        # Beside files that the card names, another one is not of the corpus, though it be of its only split.
        mark = partial(mark, foreign=frozenset(tables).difference(named) if named else frozenset())
        return FileSet(
            tuple(splits),
            str(path),
            lambda accepts: mark(naming.mark(_tree(path, top, source, accepts, access), str(top), configs)),
            fingerprint,
            config=config,
            local=True,
            listing=lambda: ((above + found.name, found.path) for found in _found(path, access)),
        )
    if not path.is_file():
        raise UsageError(f"--from {path}: there is no such file or folder.")
    if is_archive(path.name) or source.reader_name != "columns":
        file_set = _archive(path, source, tuple(splits), config, access)
        read_members = file_set.files
        file_set.files = lambda accepts: mark(naming.mark(read_members(accepts), str(path.parent), configs))
        return file_set
    named_config, named_split = naming.only(str(path))
    if named_split is not None and named_split not in splits:
        raise UsageError(f"--from {path}: its name says that its split is {named_split}, not {', '.join(splits)}.")
    if named_split is not None:
        splits, config = (named_split,), named_config or config
    if len(splits) != 1:
        raise UsageError(f"--from {path}: the split is unknown. Add --split, one of {', '.join(splits)}.")
    return FileSet(tuple(splits), str(path), lambda accepts: _one_file(path, splits[0], config),
                file_fingerprint(path), config=config, bytes=path.stat().st_size, local=True)  # fmt: skip


def _marked(stream: RawStream, *, split: str | None, config: str | None, foreign: Collection[str] = ()) -> RawStream:
    """Set the corpus's only split, and the requested configuration if there is only one, on files that have none."""
    for item in stream:
        if isinstance(item, RawFile) and item.name not in foreign:
            item.split = item.split or split
            item.config = item.config or config
        yield item


def _one_file(path: Path, split: str, config: str | None) -> Iterator[RawFile]:
    file = local_file(path, path.name, path.as_uri(), "local file", split)
    file.config = config
    yield file


def _archive(path: Path, source: SourceCard, splits: tuple[str, ...], config: str | None, access: Access) -> FileSet:
    size = path.stat().st_size
    # A manual download is the official archive; a file named like a downloadable archive may be a subset of it.
    known = source.sum_of("sha256", path.name, None) if source.manual is not None else None
    verification = Verification(path, Expected(sha256=known)) if access.whole or size <= VERIFY_FIRST_BYTES else None

    def files(accepts: Accepts) -> RawStream:
        revision = verification.revision() if verification else f"size:{size} (prefix)"
        with path.open("rb") as stream:
            for item in members(
                stream, name=path.name, uri=path.as_uri(), revision=revision, spool=access.spool,
                nested=source.nested, wants=accepts, password=password_of(source),
            ):  # fmt: skip
                if access.progress:
                    access.progress(stream.tell(), size)
                yield item

    prepare = verification.start if verification else _nothing
    return FileSet(splits, path.as_uri(), files, file_fingerprint(path), config=config, bytes=size, local=True,
                prepare=prepare)  # fmt: skip


def _top(path: Path, source: SourceCard) -> Path:
    """Return the folder above the release if the user gave the release's own folder or one inside it, else `path`."""
    if source.release is not None:
        for folder in (path, *path.parents):
            if fnmatchcase(folder.name, source.release):
                return folder.parent
    return path


def _above(root: Path, top: Path) -> str:
    """What the names of the files in `root` begin with if they are named from `top`."""
    return "".join(f"{name}/" for name in root.relative_to(top).parts)


def _tree(root: Path, top: Path, source: SourceCard, accepts: Accepts, access: Access) -> RawStream:
    """Yield a folder's files, named from `top`; joined archives come last: their parts are not read on their own."""
    joins = _joins(source)
    nested = (*source.nested, *_downloaded_names(source))
    above = _above(root, top)
    for item in tree(
        root, uri=root.as_uri(), revision="local tree", spool=access.spool, nested=nested,
        wants=lambda name: accepts(above + name), password=_password(root, source, access),
        allow_outside=access.allow_outside, note=access.notice,
    ):  # fmt: skip
        if isinstance(item, RawFile):
            item.name = above + item.name
        yield item
    for file in joins:
        yield from _joined(root, file, source, accepts, access)


def _found(root: Path, access: Access) -> Iterator[Found]:
    """Every file that a walk over the folder reads."""
    walk = Tree(root, inside=Inside.of(root, allowed=access.allow_outside))
    return (item for item in walk.walk() if isinstance(item, Found))


def _noting(tables: list[str], files: Iterator[Found], above: str) -> Iterator[tuple[str, Path]]:
    """Yield names and paths, and note the names of Parquet files, which begin with `above`."""
    for found in files:
        if found.name.lower().endswith(".parquet"):
            tables.append(above + found.name)
        yield found.name, found.path


def _twice(named: Mapping[str, Collection[Named]]) -> Iterator[str]:
    """Describe the files that the card names, of which there is more than one."""
    alike: dict[tuple[object, str], list[str]] = {}
    for name, of in named.items():
        alike.setdefault((frozenset(of), name.rpartition("/")[2]), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            yield f"{' and '.join(names[:2])} are the same file by their names: of rows of one id, the first counts"


def _password(root: Path, source: SourceCard, access: Access) -> str | None:
    """Return the password if a folder has archives that may need one; an unpacked tree needs none."""
    if source.password is None:
        return None
    encrypted = any(found.name.lower().endswith((".aes.tgz", ".7z", ".zip")) for found in _found(root, access))
    return password_of(source) if encrypted else None


def _joins(source: SourceCard) -> list[FileCard]:
    named = source.named_files
    return [] if named is None else [file for file in all_files(named) if file.name is not None]


def _downloaded_names(source: SourceCard) -> tuple[str, ...]:
    """Return patterns of the archives named on the card, which a folder of downloads may contain."""
    if source.named_files is None:
        return ()
    single = [file for file in all_files(source.named_files) if file.name is None]
    names = {path.rsplit("/", 1)[-1].split("?")[0] for file in single for path in file.paths}
    patterns = {_pattern(name).lower() for name in names if ARCHIVE.search(name)}
    return tuple(sorted({each for name in patterns for each in (name, f"*/{name}")}))


def _pattern(name: str) -> str:
    return name.replace("{split}", "*").replace("{config}", "*")


def _joined(
    root: Path, file: FileCard, source: SourceCard, accepts: Accepts, access: Access
) -> Iterator[RawFile | Rejection]:
    patterns = [_pattern(path.rsplit("/", 1)[-1]) for path in file.paths]
    paths = sorted((item.path for item in _found(root, access)), key=lambda path: in_number_order(str(path)))
    found = [path for pattern in patterns for path in paths if fnmatchcase(path.name, pattern)]
    if not found:
        return
    name = _pattern(str(file.name))
    with ExitStack() as stack:
        parts = list(dict.fromkeys(found))
        stream = stack.enter_context(JoinedStream([open_later(path) for path in parts], [path.name for path in parts]))
        yield from members(
            cast("BinaryIO", stream), name=name, uri=f"{root.as_uri()}/{name}", revision="local tree",
            spool=access.spool, nested=source.nested, wants=accepts, password=password_of(source),
        )  # fmt: skip


def _nothing() -> None:
    """Do nothing: for file sets without preparation."""
