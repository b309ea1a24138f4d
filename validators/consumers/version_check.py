"""Have the consumers of a published version load it, and record what they made of it.

Every version is loaded with `datasets`; with its view's consumer where that is installed. The numbers go into a file
beside the version, which itself never changes, and into a run:

    STORE/exports/<name>/v3.verified.json    {"ms-swift qwen2-audio sft": {"at": ..., "rows": ..., ...}, ...}

Neither has anything of a row: rows may have to be forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.events import Run
from ...shards.exports import versions as exports
from ...shards.store.lock import locked
from ...shards.store.store import Store
from ...shards.store.tables import ALL_DATASETS
from . import get_consumer
from .client import Consumer
from .verify import ENCODED, Verification, verify_file


def verify_version(
    store: Store,
    version: exports.Version,
    *,
    client_python: Path | None = None,
    model: str | None = None,
    rows: int = ENCODED,
) -> list[Verification]:
    """Load a version with `datasets` and with its consumer, and record the numbers.

    Args:
        client_python: The Python that has the consumer; default: its environment in `clients/` of our own.
        model: Whose template is used; default: that of the version's budget, else one that can take its media.
        rows: How many rows are encoded, from the first; 0: all. All are loaded.

    Raises:
        UsageError: The version is withdrawn, has no consumer for `client_python`, or the consumer no such model.
    """
    exports.require_data(version)
    found = []
    for consumer, python in _clients(version, client_python):
        run = Run("verify", _dataset(version), f"exports verify {version.reference}", {"client": consumer.name})
        checked = verify_file(
            version.data,
            consumer,
            python,
            task=_task(version, consumer),
            model=_model(version, consumer, model),
            rows=rows,
            settings=version.manifest.get("trainer_settings"),
            budgets=_budgets(version, _model(version, consumer, model)),
        )
        _record(store, version, checked, run)
        found.append(checked)
    return found


def missing_client(version: exports.Version, client_python: Path | None = None) -> str | None:
    """That the version's own consumer was not asked, and how to install it; None if it can be run here."""
    name = version.manifest.get("consumer")
    consumer = get_consumer(name) if name is not None else None
    if consumer is None or consumer.python(client_python) is not None:
        return None
    return f"{name} is not installed here, so it was not asked: {consumer.install}"


def _clients(version: exports.Version, client_python: Path | None) -> Iterator[tuple[Consumer, Path]]:
    own = version.manifest.get("consumer")
    if client_python is not None and own in (None, "datasets"):
        raise UsageError(f"{version.reference} is read by `datasets`, which is here: remove --client-python.")
    for name in dict.fromkeys(("datasets", own)):
        consumer = get_consumer(name) if name else None
        python = consumer.python(client_python if name == own else None) if consumer else None
        if consumer is not None and python is not None:
            yield consumer, python


def _task(version: exports.Version, consumer: Consumer) -> str | None:
    pairs = "dpo" if version.manifest.get("style") == "ranking" else None
    task = version.manifest.get("options", {}).get("task") or pairs
    return task if consumer.tasks is None or task in consumer.tasks else consumer.tasks[0]


def _model(version: exports.Version, consumer: Consumer, model: str | None) -> str | None:
    if not consumer.models:
        return None
    if model is not None and model not in consumer.models:
        raise UsageError(f"{consumer.name} has no model {model!r} here: it has {', '.join(consumer.models)}.")
    budget = _budget_model(version)
    return model or (budget if budget in consumer.models else consumer.model_for(exports.columns(version)))


def _budget_model(version: exports.Version) -> str | None:
    rows = _budget_rows(version)
    return rows[0]["model"] if rows else None


def _budgets(version: exports.Version, model: str | None) -> dict[str, int] | None:
    """Our own count of the tokens of media of each row, by id; None if the version has none for the model."""
    rows = _budget_rows(version)
    if not rows or rows[0]["model"] != model:
        return None
    kinds = ("audio_tokens", "image_tokens", "video_tokens")
    return {row["id"]: sum(row.get(kind) or 0 for kind in kinds) for row in rows}


def _budget_rows(version: exports.Version) -> list[dict[str, Any]]:
    path = version.path / "budget.parquet"
    if not path.is_file():
        return []
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return rows


def _record(store: Store, version: exports.Version, checked: Verification, run: Run) -> None:
    differ = {each.id: each.kind for each in reversed(checked.differences)}
    run.account.keep(checked.encoded - len(differ) if checked.encoded > len(differ) else 0)
    for kind in differ.values():
        run.account.drop(kind)
    run.details = {"export": version.reference, **checked.counts()}
    run.finish(store, status="ok" if checked.passed else "problems")
    path = verified_file(version)
    key = " ".join(part for part in (checked.consumer, checked.model, checked.task) if part)
    entry = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "run_id": run.run_id, **checked.counts()}
    with locked(path.parent / ".lock", purpose=f"record what {checked.consumer} made of {version.reference}"):
        scratch = store.media.new_scratch()
        exports.write_json(scratch, {**verified(version), key: entry})
        scratch.rename(path)


def verified_file(version: exports.Version) -> Path:
    """The file of what consumers made of a version."""
    return version.path.with_name(f"{version.label}.verified.json")


def verified(version: exports.Version) -> Mapping[str, Any]:
    """What consumers made of a version: `consumer model task` -> numbers."""
    path = verified_file(version)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def _dataset(version: exports.Version) -> str:
    datasets = list(version.manifest["datasets"])
    return datasets[0] if len(datasets) == 1 else ALL_DATASETS
