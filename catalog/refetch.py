"""A dataset's samples once more from where they came from, for media that the store has lost.

The latest run that stored samples says how: a pull names its source and mirror, an import its file and options. Both
are repeated into a scratch store, for the samples in question only where the source can be asked for them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import TriptychError, UsageError
from ..options import parameters
from ..shards.care.repair import repair
from ..shards.care.verify import LostMedia, lost_media
from ..shards.query import connect
from ..shards.store.sql import quote
from ..shards.store.store import Store
from .pull.options import PullOptions

log = logging.getLogger("triptych")

_TRIED = 5
_OF_THE_SOURCE = ("source", "mirror", "cards", "from_path")


def repair_media(
    store: Store,
    lost: Sequence[LostMedia],
    *,
    from_path: Path | None = None,
    mirror: str | None = None,
    cards: Sequence[Path] = (),
) -> tuple[list[str], list[str]]:
    """Store lost media again; return the paths that are whole now, and why other attempts failed.

    Args:
        from_path: A folder with copies of the files under any names, or what `catalog pull --from` takes.
        mirror, cards: Take the files from there, as `catalog pull` does.
    """
    failures: list[str] = []
    given = {"from_path": from_path, "mirror": mirror, "cards": list(cards)}
    given = {name: value for name, value in given.items() if value}

    def remake(dataset: str, ids: list[str], scratch: Store) -> None:
        failures.extend(_remake(store, dataset, ids, scratch, given))

    return repair(store, lost, folder=from_path, remake=remake), failures


def fetch_lost(store: Store, dataset: str, options: PullOptions) -> list[str]:
    """After a pull: fetch media of its dataset that is gone from the store once more; return lines to tell."""
    lost = lost_media(store, dataset)
    if not lost:
        return []
    repaired, failures = repair_media(
        store, lost, from_path=options.from_path, mirror=options.mirror, cards=options.cards
    )
    lines = [f"{dataset}: {len(repaired):,} media files were gone and are stored again"] if repaired else []
    if len(repaired) < len(lost):
        reasons = f" ({failures[0]})" if failures else ""
        lines.append(
            f"{dataset}: {len(lost) - len(repaired):,} media files are gone{reasons}; "
            "try: triptych store verify --repair --from PATH"
        )
    for line in lines:
        log.warning(line)
    return lines


def _remake(store: Store, dataset: str, ids: list[str], scratch: Store, given: dict[str, Any]) -> list[str]:
    """Pull or import samples of a dataset into a scratch store; return why it was not possible, run by run."""
    failures = []
    for stage, command, options, details in _runs(store, dataset):
        try:
            if stage == "pull":
                _pull(store, dataset, ids, scratch, options, details, given)
            else:
                _import(dataset, command, options, scratch)
        except TriptychError as error:
            failures.append(f"{command}: {error.message}")
            log.info("repair %s: %s: %s", dataset, command, error.message)
            continue
        return []
    return failures or [f"{dataset}: no run of this store says where it came from"]


def _runs(store: Store, dataset: str) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    with connect(store, named_in="runs") as connection:
        rows = connection.execute(
            "SELECT stage, command, options, details FROM runs WHERE stage IN ('pull', 'import') AND kept > 0 "
            f"AND dataset = {quote(dataset)} ORDER BY finished_at DESC LIMIT {_TRIED}"
        ).fetchall()
    return [(stage, command, json.loads(options), json.loads(details)) for stage, command, options, details in rows]


def _pull(
    store: Store, dataset: str, ids: list[str], scratch: Store, options: dict[str, Any], details: dict[str, Any],
    given: dict[str, Any],
) -> None:  # fmt: skip
    from .pull.pull import check_request, pull

    with connect(store, named_in="samples_as_pulled") as connection:
        listed = ", ".join(map(quote, ids))
        places = connection.execute(
            "SELECT DISTINCT split, config FROM samples_as_pulled "
            f"WHERE dataset = {quote(dataset)} AND id IN ({listed})"
        ).fetchall()
    list_file = scratch.root / "ids.txt"
    list_file.write_text("".join(f"{identity}\n" for identity in ids), encoding="utf-8")
    recorded = {name: options[name] for name in _OF_THE_SOURCE if options.get(name)}
    if "source" not in recorded and details.get("source"):
        recorded["source"] = f"{details['source']}:{details['place']}" if details.get("place") else details["source"]
    asked: dict[str, Any] = (
        recorded
        | given
        | {
            "ids": list_file,
            "split": sorted({str(split) for split, _ in places if split}),
            "config": sorted({str(config) for _, config in places if config}),
        }
    )
    if "from_path" in asked or "mirror" in given:
        asked.pop("source", None)
    if not _known_path(asked):
        asked.pop("from_path", None)
    pull(check_request(dataset, PullOptions.of(**asked)), store=scratch)


def _known_path(asked: dict[str, Any]) -> bool:
    return bool(asked.get("from_path")) and Path(asked["from_path"]).exists()


def _import(dataset: str, command: str, options: dict[str, Any], scratch: Store) -> None:
    from ..converters.imports.import_data import check_request, import_data
    from ..converters.imports.options import ImportOptions
    from .sources.archives.user_archive import open_archive

    form = command.removeprefix("import ").split()[0]
    names = {each.name for each in parameters(ImportOptions)}
    asked = {name: value for name, value in options.items() if name in names} | {"name": dataset}
    path = options.get("path")
    if path is None:
        raise UsageError("the run has not recorded the file that it read.")
    chosen = ImportOptions.of(**asked)
    check_request(form, path, options=chosen)
    import_data(form, path, store=scratch, options=chosen, open_archive=open_archive)
