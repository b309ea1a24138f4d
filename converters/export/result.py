"""What an export gives back: the version, its counts, the line to train with, and what to know before that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import amount
from ...shards.exports import versions as exports
from ..budget.rows import told as told_budget
from ..composition.compose import told as told_composed
from ..views.left_out import told
from .request import Request
from .select import ExportFilter

if TYPE_CHECKING:
    from ...validators.consumers.verify import Verification


@dataclass(slots=True)
class ExportResult:
    """A published (or reused) version, its counts, and warnings to read before training on it.

    Attributes:
        next_command: What to train with on it; None: no trainer is known, or all rows are of test or validation splits.
        left_out: Fields that samples have and their rows do not carry -> number of those rows.
        verified: What the consumers of the version made of it, if they were asked.
    """

    version: exports.Version
    reused: bool
    counts: dict[str, int]
    warnings: list[str] = field(default_factory=list)
    next_command: str | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    verified: list[Verification] = field(default_factory=list)


def result_of(version: exports.Version, account: Mapping[str, Any], request: Request, *, reused: bool) -> ExportResult:
    """`account` is that of this request: a version made by another one may have the same bytes."""
    manifest = version.manifest
    left_out = dict(manifest.get("left_out", {}))
    fields = told(left_out, request.view.name, request.options, own=manifest.get("annotated_fields", ()))
    own = () if request.view.tell is None else request.view.tell(manifest, request.options.own)
    warnings = [*warnings_of(account, request), *own, *fields, *told_budget(manifest.get("budget"))]
    command = None
    held_out, rows = account["held_out_rows"], account["rows"]
    is_trained_on = not held_out or held_out < rows  # nobody trains on a test split
    if request.view.train_command is not None and is_trained_on:
        command = request.view.train_command(
            version.data,
            request.options,
            exports.columns(version),
            manifest.get("trainer_settings", {}),
            model=request.limits.model if request.limits else None,
        )
    return ExportResult(version, reused, dict(account["counts"]), warnings, command, left_out)


def warnings_of(account: Mapping[str, Any], request: Request) -> Iterator[str]:
    """What the account of an export, as its manifest has it, warns of."""
    selection = request.selection
    if request.view.evaluates:
        if training := account["rows"] - account["held_out_rows"]:
            yield (
                f"{training:,} of {account['rows']:,} rows are no validation or test data: a score on what a model was "
                "trained on says nothing; --split test --no-split drop leaves them out"
            )
    elif account["held_out_rows"] and not selection.splits and not request.view.has_tests:
        yield (
            f"{account['held_out_rows']:,} of {account['rows']:,} rows come from validation or test splits: "
            "select training data with --split train"
        )
    yield from _split_warnings(account, selection)
    yield from told_composed(account.get("composed"))
    changed = account.get("changed_rows", 0)
    if never := account["unvalidated_rows"] - changed:
        yield f"{amount(never, 'row', 'were')} never validated: run `triptych validate` first"
    if changed:
        yield f"{amount(changed, 'row', 'have')} changed since they were validated: run `triptych validate` first"
    if held := account.get("changed_rejected", 0):
        samples = amount(held, "rejected sample", "have")
        yield f"{samples} changed since they were validated: `triptych validate` decides again"
    if account["rejected_rows"]:
        yield f"{amount(account['rejected_rows'], 'row', 'were')} rejected by the rules but are included"
    yield from _repeat_warnings(account)


def _repeat_warnings(account: Mapping[str, Any]) -> Iterator[str]:
    overlap = account.get("train_test_overlap", {})
    if count := overlap.get("rows", 0):
        yield (
            f"{amount(count, 'training row', 'have')} sound that is in a validation or test split of the store, too, "
            f"the first is {overlap['first']}: the rule train_test_overlap with the level reject leaves them out"
        )
    if undecided := overlap.get("undecided", 0):
        yield f"{undecided:,} of them were validated before that split was there: `triptych validate` decides again"
    if repeated := account.get("repeated_rows", 0):
        yield f"{amount(repeated, 'row', 'have')} the same media as rows of another split or dataset of this export"


def _split_warnings(account: Mapping[str, Any], selection: ExportFilter) -> Iterator[str]:
    for each in account.get("split_certificates", ()):
        if each["broken_samples"] and selection.broken_splits == "keep":
            yield (
                f"{amount(each['broken_samples'], 'sample', 'are')} of groups by {each['by']} that are in two splits, "
                f"the first is {each['first']}: triptych split --check"
            )
    asked = " ".join(f"--split {split}" for split in selection.splits)
    without = account.get("no_split_samples", {})
    if kept := without.get("kept", 0):
        samples = amount(kept, "sample", "have")
        yield f"{samples} no split and are included beside {asked}; without them: --no-split drop"
    if dropped := without.get("dropped", 0):
        yield f"{amount(dropped, 'sample', 'have')} no split and are left out by {asked}; with them: --no-split keep"
    for dataset, facts in account.get("left_out_datasets", {}).items():
        has = f"its splits are {', '.join(facts['splits'])}" if facts["splits"] else "it has no splits"
        yield f"{dataset} is left out whole by {asked}: {amount(facts['samples'], 'sample')}; {has}"
