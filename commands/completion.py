"""Shell completion: names of cards, views, formats, datasets and exports, without opening the store."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def cards(incomplete: str) -> list[str]:
    """Names of cards, including those in the user's own folder."""
    from ..catalog.registry import card_paths

    return _starting(incomplete, card_paths())


def views(incomplete: str) -> list[str]:
    """Names of views."""
    from ..converters.views import VIEWS

    return _starting(incomplete, VIEWS)


def import_formats(incomplete: str) -> list[str]:
    """Formats that `import` reads."""
    from ..converters.imports.formats import FORMATS

    return _starting(incomplete, FORMATS)


def convert_formats(incomplete: str) -> list[str]:
    """Formats that `convert` reads."""
    from ..converters.imports.formats import FORMATS

    readable = [name for name, spec in FORMATS.items() if not spec.aligns and spec.reads != "shards"]
    return _starting(incomplete, [*readable, "merge", "split"])


def datasets(incomplete: str) -> list[str]:
    """Datasets of the store that a command would use in this folder."""
    folders = (_store() / "samples").glob("dataset=*")
    return _starting(incomplete, sorted(folder.name.partition("=")[2] for folder in folders))


def exports(incomplete: str) -> list[str]:
    """Exports of that store; their versions once a name is complete."""
    names = sorted(folder.name for folder in (_store() / "exports").glob("[!.]*") if folder.is_dir())
    if "@" not in incomplete:
        return _starting(incomplete, names)
    name = incomplete.partition("@")[0]
    versions = (_store() / "exports" / name).glob("v*") if name in names else ()
    return _starting(incomplete, sorted(f"{name}@{version.name}" for version in versions))


def _store() -> Path:
    from ..shards.store.store import resolve

    return resolve(None)


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]
