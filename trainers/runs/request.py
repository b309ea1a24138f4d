"""A run, or the look at one that a dry run is, as options ask for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ...shards.store.store import Store
from ..data.exports import require_exports
from .options import TrainOptions, configuration

if TYPE_CHECKING:
    from .config.sections import RunConfig
    from .preflight.report import Preflight
    from .prepare import Recipe
    from .records.run_line import Lines
    from .result import RunResult

    C = TypeVar("C", bound=RunConfig)


def train_by_request(
    model: type[C],
    recipe_of: Callable[[C], Recipe],
    export: str | None,
    store: str | Path | None,
    options: TrainOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
    notes: Callable[[str], None] | None = None,
    lines: Lines | None = None,
) -> RunResult | Preflight:
    """Read the configuration and train, or look at what would be trained.

    Args:
        model: The configuration of the trainer.
        recipe_of: Its recipe, of the configuration.
    """
    read = configuration(model, options, export)
    for note in read.notes:
        if notes is not None:
            notes(note)
    config, opened = read.config, Store.open(store)
    asked = None if config.evaluation is None else config.evaluation.export
    require_exports(opened, config.data.train, config.data.validation, asked)
    recipe = recipe_of(config)
    if options.dry_run:
        from .preflight.preflight import preflight

        return preflight(config, recipe, store=opened, notes=notes)
    from .run import train

    return train(config, recipe, store=opened, resume=options.resume, progress=progress, lines=lines)
