"""Metadata of a version: `manifest.json` for programs, `NOTICE` with the licences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...shards.events import Run
from ..budget.rows import BudgetTotals
from .account import ExportAccount
from .content import RowContent
from .request import Request

_ACCOUNT = (
    "rows", "expanded", "counts", "held_out_rows", "unvalidated_rows", "changed_rows", "changed_rejected",
    "rejected_rows", "train_test_overlap", "repeated_rows", "no_split_samples", "left_out_datasets",
    "split_certificates", "composed",
)  # fmt: skip


def account_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a manifest says of the samples of its request; keys that an older version did not write are left out."""
    return {key: manifest[key] for key in _ACCOUNT if key in manifest}


def make_manifest(
    request: Request,
    run: Run,
    account: ExportAccount,
    content: RowContent,
    *,
    tables: Mapping[str, int],
    sql: Sequence[str],
    budget: BudgetTotals | None,
    note: str | None,
    rules: Mapping[str, Mapping[str, Any]],
    key: str,
    recipe: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest without the checksums of the files.

    Args:
        tables: The version of every table that was read.
        sql: The statements that produced the rows, in order.
        rules: The rules behind the verdicts, by dataset.
        key: The identity of the request.
        recipe: The request as a recipe, which makes it again.
    """
    from ...version import __version__

    settings = request.view.trainer_settings
    own = {} if request.view.built_in else {"view_file": request.view.file_name}
    return {
        "name": request.name,
        "note": note,
        "view": request.view.name,
        **({} if request.view.style is None else {"style": request.view.style}),
        "view_revision": request.view.revision,
        "consumer": request.view.consumer,
        **own,
        "recipe": dict(recipe),
        **request.describe(),
        "rows": account.rows,
        **({} if account.parts is None else {"expanded": _expanded(account)}),
        "counts": {outcome: count for outcome, count in sorted(account.outcomes.items()) if count},
        "held_out_rows": account.held_out,
        "unvalidated_rows": account.unvalidated,
        "changed_rows": account.changed,
        "changed_rejected": account.changed_rejected,
        "rejected_rows": account.rejected,
        "train_test_overlap": asdict(account.repeats.held_out),
        "repeated_rows": account.repeats.rows,
        "no_split_samples": {"kept": account.splits.kept, "dropped": account.splits.dropped},
        "left_out_datasets": {
            dataset: {"samples": count, "splits": splits}
            for dataset, (count, splits) in account.splits.left_out.items()
        },
        **({"composed": account.composed} if account.composed is not None else {}),
        "split_certificates": [asdict(each) for each in account.certificates],
        "rules": {dataset: dict(rules[dataset]) for dataset in account.licences if dataset in rules},
        "left_out": dict(content.left_out),
        "annotated_fields": content.annotated,
        "sound_of_videos": dict(content.sounds),
        **({} if budget is None else {"budget": budget.describe()}),
        "trainer_settings": {} if settings is None else settings(content.sounds),
        "datasets": {dataset: dict(licences) for dataset, licences in account.licences.items()},
        "media_root": request.media_root,
        "key": key,
        "tables": dict(tables),
        "sql": list(sql),
        "run_id": run.run_id,
        "created_at": run.started_at.isoformat(timespec="seconds"),
        "software": {"triptych": __version__, "duckdb": _duckdb_version()},
    }


def _expanded(account: ExportAccount) -> dict[str, Any]:
    """How many rows were made of how many samples, and which parts of samples have none."""
    return {"samples": account.written, "rows": account.rows, "parts_without_row": dict(account.parts or {})}


def _duckdb_version() -> str:
    import duckdb

    return str(duckdb.__version__)


def write_notice(path: Path, request: Request, account: ExportAccount) -> None:
    """List the licences of the rows by dataset."""
    lines = [f"This export ({request.name}) holds rows of the datasets below. Their licences stay with them.", ""]
    for dataset, licences in account.licences.items():
        for licence, count in sorted(licences.items()):
            lines.append(f"{dataset}: {licence} ({count:,} rows)")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
