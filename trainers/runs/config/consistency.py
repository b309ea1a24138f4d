"""What several keys of a configuration say together: contradictions, which are refused, and what is worth a note."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .old_names import Place, meant_model
from .sections import RunConfig

ALTERNATIVES: tuple[tuple[Place, Place], ...] = (
    (("training", "warmup_steps"), ("training", "warmup_ratio")),
    (("data", "batch_tokens"), ("training", "batch_size")),
)
"""Two keys for one thing; where the first is given, the second is not used and must not be given."""


def contradictions(config: RunConfig, given: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the place of each contradiction, and what it is.

    Args:
        given: The keys that were given, by section.
    """
    for first, second in ALTERNATIVES:
        if value_at(given, first) is not None and value_at(given, second) is not None:
            yield second, f"{'.'.join(first)} says the same: give one of them"
    if (meant := meant_model(config.model.base_model)) is not None:
        yield ("model", "base_model"), f"the hub has no {config.model.base_model!r}; {meant} is meant"
    if config.model.quantization != "none" and config.lora is None:
        yield ("model", "quantization"), "quantized weights are not trained: add a section lora"
    if config.stages and config.lora is not None:
        yield ("stages",), "stages train weights themselves: remove stages or the section lora"
    for number, stage in enumerate(config.stages[:-1]):
        if stage.epochs is None and stage.steps is None:
            yield ("stages", number), "how long is this stage? give epochs or steps; only the last may go on to the end"
    if config.evaluation is not None and config.evaluation_steps % config.logging.save_steps:
        yield (
            ("evaluation", "steps"),
            (
                f"{config.evaluation_steps} is no multiple of logging.save_steps, {config.logging.save_steps}: only "
                "what is saved can be the best checkpoint"
            ),
        )


def remarks(config: RunConfig) -> Iterator[str]:
    """Yield what is allowed and easily a mistake."""
    for key, export in (
        ("data.validation", config.data.validation),
        ("evaluation.export", config.evaluation.export if config.evaluation is not None else None),
    ):
        if export is not None and export.partition("@")[0] == config.data.train.partition("@")[0]:
            yield f"{key} is the export that is trained on: it measures what was learnt by heart"
    yield from config.remarks()


def value_at(values: Any, place: Place) -> Any:
    """The value at a place of nested mappings; None where there is none."""
    for part in place:
        values = values.get(part) if isinstance(values, Mapping) else None
    return values
