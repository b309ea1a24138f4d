"""Views: one file a consumer's format; this is the list of them."""

from __future__ import annotations

from ...errors import UsageError
from .base import Skip, View, ViewOptions, ViewSql
from .msswift import MsSwift
from .unified import Unified

__all__ = ["VIEWS", "Skip", "View", "ViewOptions", "ViewSql", "get_view"]

VIEWS: dict[str, View] = {view.name: view for view in (Unified(), MsSwift())}


def get_view(name: str) -> View:
    """The view of that name.

    Raises:
        UsageError: There is no such view.
    """
    if name not in VIEWS:
        raise UsageError(f"There is no view {name!r}. Views: {', '.join(VIEWS)}.")
    return VIEWS[name]
