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
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from .errors import DamagedError, ProblemsFound, UsageError
from .options import from_python
from .shards.store.store import Store
from .shards.store.use import using

if TYPE_CHECKING:
    import datasets
    import polars
    import pyarrow

    from .converters.versions.collect import Collected
    from .converters.versions.push import Pushed
    from .converters.versions.rebuild import Rebuilt
    from .shards.exports.difference import Difference
    from .shards.exports.versions import Version
    from .trainers.data.exports import RowDataset
    from .validators.consumers.verify import Verification

PathLike = str | Path

__all__ = [
    "diff", "gc", "list", "load_with_client", "open", "pack", "path", "push", "rebuild", "relocate", "show", "verify",
    "which",
]  # fmt: skip


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
def path(reference: str | None = None, *, rewards: bool = False, store: PathLike | None = None) -> Path:
    """Return the path of a version's `data.jsonl`.

    Args:
        rewards: The path of the rewards that MS-SWIFT's GRPO loads with `--external_plugins`, instead of a version's.

    Raises:
        UsageError: There is no such export, or its data was withdrawn.
    """
    if rewards == (reference is not None):
        raise UsageError("path takes one version, or --rewards.", hint="triptych exports path NAME")
    if reference is None:
        from .converters.views.msswift import REWARDS

        return REWARDS
    from .shards.exports.versions import require_data

    return require_data(show(reference, store=store)).data


@overload
def open(reference: str, as_: Literal["datasets"] = ..., *, store: PathLike | None = ...) -> datasets.Dataset: ...


@overload
def open(reference: str, as_: Literal["arrow"], *, store: PathLike | None = ...) -> pyarrow.Table: ...


@overload
def open(reference: str, as_: Literal["polars"], *, store: PathLike | None = ...) -> polars.DataFrame: ...


@overload
def open(reference: str, as_: Literal["torch"], *, store: PathLike | None = ...) -> RowDataset: ...


@from_python
def open(reference: str, as_: str = "datasets", *, store: PathLike | None = None) -> Any:
    """Open the rows of a version, after a look at its files and media (`exports verify --quick`).

    Args:
        reference: `NAME` (its latest version) or `NAME@vN`.
        as_: `datasets` (a `datasets.Dataset`, memory-mapped), `arrow` (a `pyarrow.Table`), `polars` (a
            `polars.DataFrame`), or `torch`: a map-style dataset for `torch.utils.data.DataLoader`, whose items are rows
            without null columns, read from disk as they are asked for.

    Raises:
        UsageError: No such version or form, or its rows are gone.
        DamagedError: The version differs from what was published.
    """
    from .trainers.data.exports import FORMS, ExportReader

    if as_ not in FORMS:
        raise UsageError(f"An export cannot be opened as {as_!r}. Forms: {', '.join(FORMS)}.")
    with using(Store.open(store), "open an export") as opened:
        return FORMS[as_](ExportReader.open(reference, store=opened))


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
def load_with_client(
    reference: str,
    *,
    client_python: PathLike | None = None,
    model: str | None = None,
    rows: int | None = None,
    store: PathLike | None = None,
) -> builtins.list[Verification]:
    """Have `datasets` and the consumer of a version's view load it; returns what each made of its rows.

    The consumer is asked with its own loader, template and collator; the numbers are recorded beside the version.

    Args:
        client_python: The Python that has the consumer; default: the one that `make clients` made. Without either, only
            `datasets` is asked.
        model: `qwen2-audio`, `qwen2.5-omni` or `qwen3-omni`; default: that of the version's budget, else the first that
            can take its media.
        rows: How many rows are encoded, from the first; 0: all; default: 1,000. All are loaded.
    """
    from .shards.care.recovery import writing
    from .shards.exports.versions import find
    from .validators.consumers.verify import ENCODED
    from .validators.consumers.version_check import verify_version

    python = Path(client_python) if client_python is not None else None
    with writing(Store.open(store), "load an export") as opened:
        version = find(opened, reference)
        count = ENCODED if rows is None else rows
        return verify_version(opened, version, client_python=python, model=model, rows=count)


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
    """Write the same version for another media root (an absolute path) beside it.

    Args:
        reference: `NAME` or `NAME@vN`; or a path with a `/` to the folder of a pack, which is rewritten in place and
            takes no store.
    """
    from .shards.care.recovery import writing
    from .shards.exports import copies
    from .shards.exports import versions as exports

    if "/" in reference:
        version = copies.load_pack(Path(reference))
        return copies.relocate_pack(version, str(media_root), write_files=_files_of(version))
    with writing(Store.open(store), "relocate an export") as opened:
        version = exports.find(opened, reference)
        if _embeds_media(version) and Path(media_root) != opened.root:  # that is for a store that was moved
            raise UsageError(
                f"{version.reference} holds what it takes of the media itself: a media root does not apply to it.",
                hint=f"triptych exports pack {version.reference} --to DIR",
            )
        return copies.relocate(opened, version, str(media_root), write_files=_files_of(version))


@from_python
def pack(
    reference: str, to: PathLike, *, media_root: PathLike | None = None, store: PathLike | None = None
) -> dict[str, Any]:
    """Copy a version with only the media it references into a new folder; returns the manifest of the copy.

    Of a view whose files hold the media itself (`hf`, `webdataset`), the files are copied and no media beside them.

    Args:
        media_root: The final location of the folder; default: where it is written. `.`: paths are relative to it.
    """
    from .shards.exports import copies
    from .shards.exports import versions as exports

    root = str(media_root) if media_root is not None else None
    with using(Store.open(store), "pack an export") as opened:
        version = exports.find(opened, reference)
        embeds = _embeds_media(version)
        return copies.pack(version, Path(to), media_root=root, embeds_media=embeds, write_files=_files_of(version))


@from_python
def rebuild(reference: str, *, store: PathLike | None = None) -> Rebuilt:
    """Make the rows of a version again, from its manifest and the tables of its time, and put back what it lacks.

    Files of the version that are there with the published bytes are left alone.

    Raises:
        UsageError: The version cannot be made again; the message says why.
    """
    from .converters.versions import rebuild as again
    from .shards.care.recovery import writing
    from .shards.exports import versions as exports

    with writing(Store.open(store), "rebuild an export") as opened:
        return again.rebuild(opened, exports.find(opened, reference))


@from_python
def gc(
    names: str | Sequence[str] = (),
    *,
    keep: int = 1,
    older_than_days: float = 7.0,
    dry_run: bool = False,
    store: PathLike | None = None,
) -> Collected:
    """Delete the rows of old versions that `rebuild` can make again; their manifests stay.

    Args:
        names: Exports; default: all.
        keep: How many versions of each stay, from the newest.
        older_than_days: Younger versions stay.
        dry_run: Only say what would be deleted.
    """
    from .converters.versions.collect import collect_versions
    from .shards.care.recovery import writing

    chosen = [names] if isinstance(names, str) else [*names]
    with writing(Store.open(store), "collect exports", checked=not dry_run, frees=True) as opened:
        return collect_versions(opened, chosen, keep=keep, older_than_days=older_than_days, dry_run=dry_run)


@from_python
def push(
    reference: str, repo: str, *, media: bool = False, public: bool = False, store: PathLike | None = None
) -> Pushed:
    """Push a version to a dataset repository of the Hugging Face hub, in one commit that replaces what is there.

    Args:
        reference: `NAME` or `NAME@vN`.
        repo: `owner/name`; created if it does not exist.
        media: Push the media that the rows name, too; the rows then name it relative to the repository.
        public: Create the repository as a public one; default: private.

    Raises:
        UsageError: The rows name media that would not be pushed.
        GateError: Not logged in, or not allowed to write there.
        NetworkError: The hub cannot be reached.
    """
    from .converters.versions import push as to_hub
    from .shards.exports import versions as exports

    with using(Store.open(store), "push an export") as opened:
        version = exports.find(opened, reference)
        embeds, write = _embeds_media(version), _files_of(version)
        return to_hub.push(version, repo, media=media, public=public, embeds_media=embeds, write_files=write)


def _embeds_media(version: Version) -> bool:
    """Whether the further files of a version hold its media."""
    if "view_file" in version.manifest:  # a user's view has none
        return False
    from .converters.views import get_view

    return get_view(version.manifest["view"], version.manifest.get("style")).embeds_media


def _files_of(version: Version) -> Callable[[Path, Path], None] | None:
    """What writes the further files of a copy of a version, if they name media."""
    if "view_file" in version.manifest:  # a user's view has none
        return None
    from .converters.views import get_view

    view = get_view(version.manifest["view"], version.manifest.get("style"))
    write = view.write_files
    if write is None or view.embeds_media:
        return None
    options = view.options_of(version.manifest, version.path)
    return lambda rows, folder: write(rows, folder, options)


def __dir__() -> builtins.list[str]:
    return sorted(__all__)
