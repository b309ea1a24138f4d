"""Published versions of views: publishing, finding, verifying and comparing them.

    STORE/exports/<name>/v<N>/   data.jsonl, data.parquet, manifest.json, NOTICE, and further files of some views

A version is immutable; copies of it for other locations are made in `copies.py`. `content_sha256` is the SHA-256
of `data.jsonl` with the media root replaced by `$MEDIA`, so equal rows have an equal sum everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ..media.integrity import Expected, problems_of
from ..sample import NAME
from ..store.database import session
from ..store.sql import identifier, quote
from ..store.store import Store
from .gone import refuse_gone
from .jsonl import WrittenRows
from .media_places import MediaPlace, media_places

if TYPE_CHECKING:
    import duckdb

PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
"""How data.parquet is written; level 1 is a third faster than the default and the file hardly larger."""

SAMPLE_ID = "sample_id"
"""The column with the sample's id, in versions that have several rows of a sample: `id` is the row's."""

BUDGET = "budget.parquet"
"""What each row is in a model, in versions that counted it."""
_VERSION = re.compile(r"v(\d+)(-[0-9a-f]{8})?")
_REQUIRED = ("rows", "counts", "datasets", "media_root", "created_at", "run_id", "files", "content_sha256")


@dataclass(frozen=True, slots=True)
class Version:
    """One published version; `label` is `v3`, or `v3-1a2b3c4d` for a relocated one."""

    name: str
    label: str
    path: Path
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        return f"<export {self.reference}: {self.manifest.get('rows')} rows in {self.path}>"

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.label}"

    @property
    def number(self) -> int:
        return _number(self.label)

    @property
    def data(self) -> Path:
        return self.path / "data.jsonl"


def _number(label: str) -> int:
    match = _VERSION.fullmatch(label)
    assert match is not None
    return int(match[1])


def names(store: Store) -> list[str]:
    """Return the names of the exports that have at least one version."""
    root = store.root / "exports"
    return (
        sorted(path.name for path in root.iterdir() if path.is_dir() and labels(store, path.name))
        if root.is_dir()
        else []
    )


def labels(store: Store, name: str) -> list[str]:
    """Return the published versions of an export, oldest first, relocated ones after their original."""
    root = store.root / "exports" / name
    if not root.is_dir():
        return []
    found = [path.name for path in root.iterdir() if _VERSION.fullmatch(path.name)]
    return sorted(found, key=lambda label: (_number(label), label))


def load(store: Store, name: str, label: str) -> Version:
    """Load one version with its manifest.

    Raises:
        DamagedError: The manifest is missing, invalid JSON or lacks keys that `export` writes.
    """
    path = store.root / "exports" / name / label
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DamagedError(f"{path / 'manifest.json'}: {error}") from error
    missing = [key for key in _REQUIRED if key not in manifest] if isinstance(manifest, dict) else list(_REQUIRED)
    if missing:
        raise DamagedError(f"{path / 'manifest.json'}: missing keys: {', '.join(missing)}.")
    return Version(name, label, path, manifest)


def find(store: Store, reference: str) -> Version:
    """Find the version `NAME@vN`, or for `NAME` its latest original version.

    Raises:
        UsageError: There is no such export or version; the message lists the existing ones.
    """
    name, _, label = reference.partition("@")
    known = labels(store, name) if NAME.fullmatch(name) else []
    if not known:
        raise UsageError(f"{store.root} has no export {name!r}. Exports: {', '.join(names(store)) or 'none yet'}.")
    if not label:
        label = next((each for each in reversed(known) if "-" not in each), known[-1])
    if label not in known:
        raise UsageError(f"{name} has no version {label!r}. Versions: {', '.join(known)}.")
    return load(store, name, label)


def all_versions(store: Store) -> Iterator[Version]:
    """Yield every version of every export."""
    for name in names(store):
        for label in labels(store, name):
            yield load(store, name, label)


def require_data(version: Version) -> Version:
    """Return the version itself, if its rows still exist.

    Raises:
        UsageError: It was withdrawn, or its rows were collected.
        DamagedError: A file is missing, or has another size than was published.
    """
    refuse_gone(version.reference, version.manifest)
    for name in dict.fromkeys(("data.jsonl", "data.parquet", *version.manifest["files"])):
        path, hint = version.path / name, f"triptych exports verify {version.reference}"
        if not path.is_file():
            raise DamagedError(f"{path}: missing.", hint=hint)
        size, expected = path.stat().st_size, version.manifest["files"].get(name, {}).get("bytes")
        if expected is not None and size != expected:
            raise DamagedError(f"{path}: damaged: {size:,} bytes, but {expected:,} were published.", hint=hint)
    return version


def without_rows(version: Version) -> bool:
    """Whether the rows were deleted on purpose: the version was withdrawn or collected; its manifest stays."""
    return bool(version.manifest.get("withdrawn") or version.manifest.get("collected"))


def publish(store: Store, name: str, finished: Path) -> str:
    """Rename a finished folder to the next free version; the loser of a race for a number takes the next one."""
    folder = store.root / "exports" / name
    number = max((_number(label) for label in labels(store, name)), default=0) + 1
    while True:
        target = folder / f"v{number}"
        try:
            finished.rename(target)
        except OSError:
            if not target.exists():
                raise
            number += 1
        else:
            return target.name


# ---- files


def sums(path: Path) -> dict[str, Any]:
    """Return the size and SHA-256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()}


def write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=False) + "\n", encoding="utf-8")


# ---- inspection


def verify(
    version: Version,
    *,
    media_in: Path | None = None,
    quick: bool = False,
    recorded: Mapping[str, Expected] | None = None,
    checked: dict[Path, str | None] | None = None,
) -> list[str]:
    """List the problems of a version: changed files, missing or damaged media. One without rows has none.

    Args:
        media_in: Where the media is on this machine; default: the media root of the version.
        quick: Look at the sizes of media instead of hashing it.
        recorded: What the store knows of media, by the path that its samples use.
        checked: What is wrong with media that was looked at before, or None; what is looked at now is added.
    """
    if without_rows(version):
        return []
    problems = []
    for name, expected in version.manifest["files"].items():
        path = version.path / name
        if not path.is_file():
            problems.append(f"{path}: missing")
        elif (found := sums(path)["sha256"]) != expected["sha256"]:
            problems.append(f"{path}: changed since it was published (SHA-256 {found}, expected {expected['sha256']})")
    if problems:
        return problems
    files, known = media_files(version, media_in), recorded or {}
    checked = {} if checked is None else checked
    unseen = [replace(known.get(named, Expected(path)), path=path) for path, named in files.items()
              if path not in checked]  # fmt: skip
    checked |= dict.fromkeys((each.path for each in unseen), None)
    checked |= {each.path: problem for each, problem in problems_of(unseen, quick=quick)}
    return [f"{path}: {problem}, but named in the export" if problem == "missing" else f"{path}: {problem}"
            for path in files if (problem := checked[path]) is not None]  # fmt: skip


def media_files(version: Version, media_in: Path | None = None) -> dict[Path, str]:
    """Return where the media of a version is on this machine, and the path that a sample uses for it.

    A linked file keeps its absolute path.
    """
    root = version.manifest["media_root"].rstrip("/") + "/"
    return {Path(media_in or root, named): named
            for named in (path.removeprefix(root) for path in media_paths(version))}  # fmt: skip


def media_place(store: Store, version: Version) -> Path | None:
    """Return the store's root if a version was made for a media root elsewhere, whose media this machine need not have.

    Otherwise None: its media is expected at the paths that it names.
    """
    if version.manifest["media_root"].rstrip("/") == str(store.root).rstrip("/"):
        return None
    return store.root if "relocated_from" in version.manifest or _asked_for_root(store, version) else None


def moved_from(store: Store, version: Version) -> Path | None:
    """Return the folder under which a version names its media, if that is where the store was before it was moved."""
    root = Path(version.manifest["media_root"])
    return None if root == store.root or root.is_dir() or media_place(store, version) is not None else root


def _asked_for_root(store: Store, version: Version) -> bool:
    """Whether the export was given a media root, and not published before its store was moved."""
    from ..query import connect

    with connect(store, named_in="runs") as connection:
        rows = connection.execute("SELECT options FROM runs WHERE run_id = $1", [version.manifest["run_id"]]).fetchall()
    return any("media_root" in json.loads(options) for (options,) in rows)


def columns(version: Version) -> list[str]:
    """Return the columns of a version's rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = version.path / "data.parquet"
    try:
        names: list[str] = pq.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        raise DamagedError(f"{path}: {error}", hint=f"triptych exports verify {version.reference}") from error
    return names


def sample_column(connection: duckdb.DuckDBPyConnection, parquet: Path) -> str:
    """Return the column of a version's rows that holds the sample's id: `id`, unless samples have several rows."""
    rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({quote(str(parquet))})").fetchall()
    return SAMPLE_ID if any(row[0] == SAMPLE_ID for row in rows) else "id"


NOISE_SAMPLES = "noise_samples"
"""The key of a manifest with the ids of samples whose sound is in that of other samples' rows."""


def noise_samples(version: Version) -> list[str]:
    """The ids of samples that are in a version as noise, behind the sound of others."""
    return [str(identity) for identity in version.manifest.get(NOISE_SAMPLES, ())]


def media_paths(version: Version) -> list[str]:
    """Return the distinct media paths that a version names, sorted."""
    parquet = version.path / "data.parquet"
    with session() as connection:
        places = _places(connection, parquet)
        if not places:
            return []
        parts = [f"SELECT unnest({place.paths}) AS path FROM read_parquet({quote(str(parquet))})" for place in places]
        rows = connection.execute(
            f"SELECT DISTINCT path FROM ({' UNION ALL '.join(parts)}) WHERE path IS NOT NULL ORDER BY 1"
        ).fetchall()
    return [str(row[0]) for row in rows]


def _places(connection: duckdb.DuckDBPyConnection, parquet: Path) -> list[MediaPlace]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM read_parquet({quote(str(parquet))})").fetchall()
    return media_places({str(row[0]): str(row[1]) for row in rows})


def which(store: Store, file: Path) -> list[Version]:
    """Return the versions that contain exactly this file, wherever it was copied to."""
    if not file.is_file():
        raise UsageError(f"{file}: there is no such file.")
    found = sums(file)["sha256"]
    return [
        version
        for version in all_versions(store)
        if any(entry["sha256"] == found for entry in version.manifest["files"].values())
    ]


def data_files(folder: Path, rows: WrittenRows, names: Sequence[str] = ()) -> dict[str, Any]:
    """Return the sizes and checksums of the files of a version, whose data.jsonl holds these rows.

    Args:
        names: The files; default: all in the folder.
    """
    if not names:
        first = ["data.jsonl", "data.parquet", "NOTICE"]
        others = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        names = [*first, *sorted(name for name in others if name not in (*first, "manifest.json"))]
    known = {"data.jsonl": {"bytes": rows.size, "sha256": rows.sha256}}
    with ThreadPoolExecutor(2) as pool:  # hashing releases the GIL
        found = pool.map(lambda name: known.get(name) or sums(folder / name), names)
        return dict(zip(names, found, strict=True))


def rows_under(connection: duckdb.DuckDBPyConnection, version: Version, media_root: str) -> str:
    """Return a SELECT of a version's rows with their media under another root."""
    parquet = version.path / "data.parquet"
    old, new = version.manifest["media_root"].rstrip("/") + "/", media_root.rstrip("/") + "/"
    replaced = [f"{place.moved_to(old, new)} AS {identifier(place.column)}" for place in _places(connection, parquet)]
    replace = f" REPLACE ({', '.join(replaced)})" if replaced else ""
    return f"SELECT *{replace} FROM read_parquet({quote(str(parquet))})"
