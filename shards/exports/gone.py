"""Versions whose rows were deleted on purpose: withdrawn, or collected to free space; their manifests stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import UsageError


def refuse_gone(reference: str, manifest: Mapping[str, Any]) -> None:
    """Raise UsageError if the rows of a version were deleted."""
    if manifest.get("withdrawn"):
        raise UsageError(f"{reference} was withdrawn at {manifest['withdrawn']}: its rows are gone.")
    if manifest.get("collected"):
        raise UsageError(
            f"{reference}: its rows were deleted at {manifest['collected']} by `exports gc`.",
            hint=f"triptych exports rebuild {reference}",
        )
