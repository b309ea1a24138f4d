"""What an export is asked for: every option, checked once, before any work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...errors import UsageError
from ...shards.query import check_where
from ...shards.sample import check_name
from ...shards.store import Store
from ..views import View, ViewOptions, get_view
from ..views.base import check_task
from ..views.msswift import ANY_TAG
from ..views.prompts import TAG_FIELD, check_template
from .select import ExportFilter, describe

ORDERS = ("hash", "id")
TEXTS = ("raw", "clean")


@dataclass(frozen=True, slots=True)
class Request:
    """One checked request; equal requests over equal tables give equal bytes."""

    view: View
    name: str
    selection: ExportFilter
    options: ViewOptions
    order: str
    seed: int
    media_root: str

    def describe(self) -> dict[str, Any]:
        """What the manifest and the run say of the request."""
        return {
            "options": asdict(self.options),
            "selection": describe(self.selection),
            "order": self.order,
            "seed": self.seed,
        }


def make_request(
    view_name: str,
    *,
    store: Store,
    task: str | None = None,
    datasets: Sequence[str] = (),
    splits: Sequence[str] = (),
    where: str | None = None,
    order: str | None = None,
    text: str | None = None,
    name: str | None = None,
    media_root: str | None = None,
    system: str | None = None,
    user_template: str | None = None,
    allow_answer_in_prompt: bool = False,
    include_rejected: bool = False,
    seed: int = 0,
) -> Request:
    """The request that these options make; see `converters.export.export.export`.

    Raises:
        UsageError: An option does not fit.
    """
    view = get_view(view_name)
    task = check_task(view, task)
    order, text = order or view.order, text or view.text
    if order not in ORDERS:
        raise UsageError(f"--order takes {' or '.join(ORDERS)}, not {order!r}.")
    if text not in TEXTS:
        raise UsageError(f"--text takes {' or '.join(TEXTS)}, not {text!r}.")
    if (system or user_template) and not view.tasks:
        raise UsageError(f"--system and --user-template are for conversations; the view {view.name!r} has none.")
    if user_template is not None:
        check_template(user_template)
    for option, value in (("--system", system), ("--user-template", user_template)):
        if value and (tag := re.search(ANY_TAG, value)):
            raise UsageError(
                f"{option} holds {tag[0]}: rows have as many tags as media, so tags are not written by hand.",
                hint=f'where they go is said by {{{TAG_FIELD}}}: --user-template "{{{TAG_FIELD}}}{{prompt}}"',
            )
    if where is not None:
        check_where(where)
    root = media_root or str(store.root)
    if not root.startswith("/"):
        raise UsageError(f"--media-root {root!r} must be an absolute path.")
    return Request(
        view,
        check_name(name or "-".join(part for part in (view.name, task) if part), what="export"),
        ExportFilter(tuple(sorted(set(datasets))), tuple(splits), where, include_rejected),
        ViewOptions(task, text, system or None, user_template, allow_answer_in_prompt),
        order,
        seed,
        root.rstrip("/") or "/",
    )
