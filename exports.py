"""The published versions of exports: the functions behind `triptych exports`.

    triptych.exports.list()
    triptych.exports.verify("msswift-sft@v1")
    old, new, found = triptych.exports.diff("msswift-sft")

A reference is `NAME` (its latest version) or `NAME@vN`. Every function takes `store=PATH`; default: `TRIPTYCH_STORE`,
else `./store`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import DamagedError, ProblemsFound, UsageError
from .options import from_python
from .shards.store.session import using
from .shards.store.store import Store

if TYPE_CHECKING:
    from .shards.exports.difference import Difference
    from .shards.exports.versions import Version

PathLike = str | Path

__all__ = ["diff", "list", "pack", "path", "relocate", "show", "verify", "which"]


class Compared(NamedTuple):
    """Two versions, and the rows that were added, removed or changed between them."""

    old: Version
    new: Version
    difference: Difference


@from_python
def list(*, store: PathLike | None = None) -> builtins.list[Version]:
    """List every version of every export."""
    from .shards.exports.versions import all_versions

    with using(Store.open(store), "list exports") as opened:
        return [*all_versions(opened)]


@from_python
def show(reference: str, *, store: PathLike | None = None) -> Version:
    """Return one version; its `manifest` records what it was made from."""
    from .shards.exports.versions import find

    with using(Store.open(store), "show an export") as opened:
        return find(opened, reference)


@from_python
def path(reference: str, *, store: PathLike | None = None) -> Path:
    """Return the path of a version's `data.jsonl`.

    Raises:
        UsageError: There is no such export, or its data was withdrawn.
    """
    from .shards.exports.versions import require_data

    return require_data(show(reference, store=store)).data


@from_python
def verify(
    references: str | Sequence[str] = (), *, quick: bool = False, store: PathLike | None = None
) -> dict[str, builtins.list[str]]:
    """Check that files and media are unchanged since publishing; returns the problems per version (default: all).

    For a version made for another media root, the media is looked for in the store.

    Args:
        references: `NAME` or `NAME@vN`; default: every version.
        quick: Look at the sizes of media instead of hashing it.
    """
    from .shards.care.verify import recorded_media
    from .shards.exports import versions as exports

    found: dict[str, builtins.list[str]] = {}
    checked: dict[Path, str | None] = {}
    with using(Store.open(store), "verify exports") as opened:
        chosen = [references] if isinstance(references, str) else [*references]
        every = [f"{name}@{label}" for name in exports.names(opened) for label in exports.labels(opened, name)]
        for reference in chosen or every:
            try:
                version = exports.find(opened, reference)
                found[version.reference] = exports.verify(
                    version,
                    media_in=exports.media_place(opened, version),
                    quick=quick,
                    recorded=recorded_media(opened, version),
                    checked=checked,
                )
            except DamagedError as error:
                found[reference] = [error.message]
    return found


@from_python
def diff(old: str, new: str | None = None, *, store: PathLike | None = None) -> Compared:
    """Compare two versions: rows added, removed and changed; `old` alone is compared with the version before it."""
    from .shards.exports import versions as exports
    from .shards.exports.difference import diff as compare

    with using(Store.open(store), "compare exports") as opened:
        first = exports.find(opened, old)
        if new is None:
            first, second = _before(opened, first), first
        else:
            second = exports.find(opened, new)
        return Compared(first, second, compare(first, second))


def _before(store: Store, version: Version) -> Version:
    from .shards.exports import versions as exports

    earlier = [label for label in exports.labels(store, version.name) if "-" not in label]
    position = earlier.index(f"v{version.number}")
    if position == 0:
        raise UsageError(f"{version.reference} is the first version: name another to compare with.")
    return exports.load(store, version.name, earlier[position - 1])


@from_python
def which(file: PathLike, *, store: PathLike | None = None) -> builtins.list[Version]:
    """Find the versions that a copied file came from, by its content.

    Raises:
        ProblemsFound: The file belongs to no version.
    """
    from .shards.exports import versions as exports

    with using(Store.open(store), "find an export") as opened:
        found = exports.which(opened, Path(file))
    if not found:
        raise ProblemsFound(f"{file} is not a file of any version in this store, or it has changed since.")
    return found


@from_python
def relocate(reference: str, media_root: PathLike, *, store: PathLike | None = None) -> Version:
    """Write the same version for another media root (an absolute path) beside it."""
    from .shards.care.recovery import writing
    from .shards.exports import copies
    from .shards.exports import versions as exports

    with writing(Store.open(store), "relocate an export") as opened:
        version = exports.find(opened, reference)
        return copies.relocate(opened, version, str(media_root), write_files=_files_of(version))


@from_python
def pack(
    reference: str, to: PathLike, *, media_root: PathLike | None = None, store: PathLike | None = None
) -> dict[str, Any]:
    """Copy a version with only the media it references into a new folder; returns the manifest of the copy.

    Args:
        media_root: The final location of the folder; default: where it is written.
    """
    from .shards.exports import copies
    from .shards.exports import versions as exports

    root = str(media_root) if media_root is not None else None
    with using(Store.open(store), "pack an export") as opened:
        version = exports.find(opened, reference)
        return copies.pack(version, Path(to), media_root=root, write_files=_files_of(version))


def _files_of(version: Version) -> Callable[[Path, Path], None] | None:
    """What writes the further files of a copy of a version, if they name media."""
    if "view_file" in version.manifest:  # a user's view has none
        return None
    from .converters.views import ViewOptions, get_view

    view = get_view(version.manifest["view"], version.manifest.get("style"))
    write = view.write_files
    if write is None or view.embeds_media:
        return None
    options = ViewOptions(**version.manifest["options"])
    return lambda rows, folder: write(rows, folder, options)


def __dir__() -> builtins.list[str]:
    return sorted(__all__)
