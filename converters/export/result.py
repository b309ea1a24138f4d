"""What an export gives back: the version, its counts, the line to train with, and what to know before that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...shards.exports import versions as exports
from ..budget.rows import told as told_budget
from ..pairs.report import told as told_pairs
from ..views.left_out import told
from .advice import warnings_of
from .request import Request

if TYPE_CHECKING:
    from ...validators.consumers.verify import Verification


@dataclass(slots=True)
class ExportResult:
    """A published (or reused) version, its counts, and warnings to read before training on it.

    Attributes:
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
    pairs = told_pairs(manifest["pairs"], request.options.own) if "pairs" in manifest else ()
    warnings = [*warnings_of(account, request), *pairs, *fields, *told_budget(manifest.get("budget"))]
    command = None
    if request.view.train_command is not None:
        command = request.view.train_command(
            version.data,
            request.options,
            exports.columns(version),
            manifest.get("trainer_settings", {}),
            model=request.limits.model if request.limits else None,
        )
    return ExportResult(version, reused, dict(account["counts"]), warnings, command, left_out)
