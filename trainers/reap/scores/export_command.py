"""What to type for an export of calibration rows of one modality."""

from __future__ import annotations

import shlex
from collections.abc import Collection

from .expert_sums import AUDIO, MIXED, MODALITIES, TEXT, VIDEO

_SHOWN = {AUDIO: "audio", VIDEO: "video", MIXED: "av"}
"""Modality -> what `triptych export --modality` calls it."""


def name_of(modality: str) -> str:
    """The export that `export_command` makes."""
    return f"calibration-{modality}"


def export_command(modality: str, *, datasets: Collection[str] = (), rows: int | None = None) -> str:
    """The line that makes an export of one modality, under a name of its own: `calibration` stays what it was.

    Args:
        datasets: Whose rows; default: of all.
        rows: At most so many of each stratum; of text, which the view `calibration` does not have, of each dataset.
    """
    assert modality in MODALITIES
    view = "msswift --task sft" if modality == TEXT else "calibration"
    shown = """--where "modality = 'text'\"""" if modality == TEXT else f"--modality {_SHOWN[modality]}"
    own = "".join(f" --dataset {shlex.quote(name)}" for name in sorted(datasets))
    most = "" if rows is None else f" --limit dataset={rows}" if modality == TEXT else f" --per-stratum {rows}"
    return f"triptych export {view} --split train {shown}{own}{most} --name {name_of(modality)}"
