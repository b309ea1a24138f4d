"""Views: one SQL file a consumer's format; this is the list of them.

    base.py        what a view is, and the header of its file
    unified.sql    one line a sample, for people and tools
    msswift.sql    conversations for MS-SWIFT; msswift.py has the line to train with
    elements/      macros.sql and prepared.sql: what rows are made of
    prompts.py     templates/prompts.yaml as tables; user templates
    prepare.py     `prepared` made on a connection
    statement.py   a view's SELECT, checked, with the columns of the account put beside its own
    batch.py       rows of samples that lie in memory
    handmade.py    one row by hand

A package adds its own through the entry points `triptych.views`: a name, and a path (or a resource) of a `.sql` file.
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


def _own(name: str, train_command: TrainCommand | None = None) -> View:
    text = resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return make_view(text, file=f"{name}.sql", train_command=train_command, built_in=True)


VIEWS: dict[str, View] = {
    "unified": _own("unified"),
    "msswift": _own("msswift", msswift.train_command),
}


def get_view(name: str) -> View:
    """The view of that name, or of the file where it ends in `.sql`.

    Raises:
        UsageError: There is no such view or file.
    """
    if name in VIEWS:
        return VIEWS[name]
    if name.endswith(".sql"):
        return _of_file(Path(name))
    others = {point.name: point for point in metadata.entry_points(group=ENTRY_POINTS)}
    if name in others:
        return _of_package(others[name])
    raise UsageError(
        f"There is no view {name!r}. Views: {', '.join([*VIEWS, *others])}.",
        hint="a view of your own is a file: triptych export ./my_view.sql (docs/how-to/bring-a-view.md)",
    )


def _of_file(path: Path) -> View:
    try:
        return _not_ours(make_view(path.read_text(encoding="utf-8"), file=str(path)), str(path))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start + 1} is not UTF-8.") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error


def _not_ours(view: View, where: str) -> View:
    if view.name in VIEWS:
        raise UsageError(
            f"{where}: the name {view.name!r} is taken by a view of Triptych's own.",
            hint="give the file another name, or its header: -- name: my-view",
        )
    return view


def _of_package(point: metadata.EntryPoint) -> View:
    try:
        resource: Any = point.load()
        text = (Path(resource) if isinstance(resource, str) else resource).read_text(encoding="utf-8")
    except Exception as error:
        raise UsageError(
            f"The view {point.name!r} of the entry point {point.value!r} cannot be read: {error}.",
            hint="it names the path of a .sql file, or a resource of importlib.resources",
        ) from error
    view = make_view(text, file=f"{point.name}.sql")
    if view.name != point.name:
        raise UsageError(f"The entry point {point.name!r} names the view {view.name!r}: one of the two is wrong.")
    return view
