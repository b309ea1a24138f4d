"""What a run must have in common with its checkpoint to go on exactly, and what may change between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ....version import __version__

if TYPE_CHECKING:
    from ..config.sections import RunConfig

PACKAGES = ("torch", "transformers", "peft", "accelerate")

FREE = (
    "output_dir", "logging", "evaluation", "data.workers", "data.validation", "data.bad_rows", "data.allow_overlap",
    "model.base_model", "model.revision", "model.download", "data.train", "retrieval.text_model",
    "retrieval.text_revision", "phoneme.encoder", "phoneme.encoder_revision", "phoneme.best_metric",
    "phoneme.per_rows",
)  # fmt: skip
"""Keys that may change: none of them reaches the weights, or their content is compared (`export`, `model`). A bad row
that stopped the run was not trained on, so that the run can go on without it."""
LENGTH = ("training.epochs", "training.max_steps")
"""Keys that may change where the learning rate does not depend on the length of the run."""

Identity = dict[str, Any]


def identity_of(config: RunConfig, *, export: str, model: str, ranks: int) -> Identity:
    """What a checkpoint keeps of its run.

    Args:
        export: The SHA-256 of the rows.
        model: The commit or fingerprint of the base model.
        ranks: Processes that train together: each has its part of a step, and its own dropout.
    """
    return {
        "config": config.model_dump(mode="json"), "export": export, "model": model, "ranks": ranks,
        "packages": {"triptych": __version__, **{name: _version(name) for name in PACKAGES}},
    }  # fmt: skip


def check_same(then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Hold a run against the checkpoint that it is to go on from.

    Raises:
        UsageError: They differ; the message names each key with both values.
    """
    differing = list(_differences(then, now))
    if differing:
        raise UsageError(
            "--resume: this is not the run that the checkpoint is of:\n" + "\n".join(f"  {each}" for each in differing),
            hint="go on as it began (config.yaml and requirements.txt in its folder), or begin another run",
        )


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    old, new = dict(_flat(then["config"])), dict(_flat(now["config"]))
    free = FREE + (LENGTH if _is_endless(then["config"]) and _is_endless(now["config"]) else ())
    for key in dict.fromkeys((*old, *new)):
        if old.get(key) != new.get(key) and not any(key == each or key.startswith(f"{each}.") for each in free):
            yield f"{key}: {old.get(key)!r} then, {new.get(key)!r} now"
    for name, what in (("export", "the rows of data.train"), ("model", "the files of model.base_model")):
        if then[name] != now[name]:
            yield f"{what}: {then[name]} then, {now[name]} now"
    if then["ranks"] != now["ranks"]:
        yield f"processes: {then['ranks']} then, {now['ranks']} now"
    for name in dict.fromkeys((*then["packages"], *now["packages"])):
        before, here = then["packages"].get(name), now["packages"].get(name)
        if before != here:
            yield f"{name}: {before} then, {here} now"


def _is_endless(config: Mapping[str, Any]) -> bool:
    training = config["training"]
    return training["schedule"] == "constant" and training["warmup_steps"] is not None and not config["stages"]


def _flat(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
