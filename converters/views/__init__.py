"""Views: one SQL file per consumer's format, and how a view is found by name.

    base.py        `View` and the header of its file
    unified.sql    one line per sample, for people and tools
    msswift.sql    conversations for MS-SWIFT; msswift.py has its training command
    elements/      macros.sql and prepared.sql: the building blocks of rows
    prompts.py     templates/prompts.yaml as tables; user templates
    prepare.py     create `prepared` on a connection
    statement.py   a view's SELECT, checked, with the columns of the account added
    batch.py       rows of samples in memory
    handmade.py    one row from Python values

A package adds views through the entry points `triptych.views`: a name, and the path (or resource) of a `.sql` file.
"""

from __future__ import annotations

from importlib import metadata, resources
from pathlib import Path
from typing import Any

from ...errors import UsageError
from . import msswift
from .base import TrainCommand, View, ViewOptions, make_view

__all__ = ["ENTRY_POINTS", "VIEWS", "View", "ViewOptions", "get_view"]

ENTRY_POINTS = "triptych.views"


def _built_in(name: str, train_command: TrainCommand | None = None) -> View:
    text = resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return make_view(text, file=f"{name}.sql", train_command=train_command, built_in=True)


VIEWS: dict[str, View] = {
    "unified": _built_in("unified"),
    "msswift": _built_in("msswift", msswift.train_command),
}


def get_view(name: str) -> View:
    """The view of that name, or the view in that file if the name ends in `.sql`.

    Raises:
        UsageError: There is no such view or file, or it is not a valid view.
    """
    if name in VIEWS:
        return VIEWS[name]
    if name.endswith(".sql"):
        return _from_file(Path(name))
    others = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    if name in others:
        return _from_entry_point(others[name])
    raise UsageError(
        f"There is no view {name!r}. Views: {', '.join([*VIEWS, *others])}.",
        hint="to use your own view, name its file: triptych export ./my_view.sql (docs/how-to/bring-a-view.md)",
    )


def _from_file(path: Path) -> View:
    try:
        view = make_view(path.read_text(encoding="utf-8"), file=str(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start + 1} is not UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    if view.name in VIEWS:
        raise UsageError(
            f"{path}: {view.name!r} is the name of a built-in view.",
            hint="rename the file, or set a name in its header: -- name: my-view",
        )
    return view


def _from_entry_point(point: metadata.EntryPoint) -> View:
    try:
        resource: Any = point.load()
        text = (Path(resource) if isinstance(resource, str) else resource).read_text(encoding="utf-8")
    except Exception as error:
        raise UsageError(
            f"The view {point.name!r} of the entry point {point.value!r} cannot be read: {error}.",
            hint="the entry point must be the path of a .sql file, or a resource of importlib.resources",
        ) from error
    view = make_view(text, file=f"{point.name}.sql")
    if view.name != point.name:
        raise UsageError(f"The entry point {point.name!r} provides the view {view.name!r}: the names must be equal.")
    return view
