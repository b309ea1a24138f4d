"""What was pruned and why: with the scores, enough to do it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...version import __version__
from ..models.training_model import TrainingModel
from . import criteria
from .criteria import Kept
from .options import PruneOptions
from .report.coverage import scores_by_modality
from .scores.expert_sums import ExpertSums, State


def manifest_of(
    options: PruneOptions, loaded: TrainingModel, sums: ExpertSums, states: Sequence[State], kept: Kept
) -> dict[str, Any]:
    """What was pruned and why: with the scores, enough to do it again."""
    values = criteria.scores(options.criterion, sums, weight=options.joint_lambda, beta=options.joint_beta)
    modalities = scores_by_modality(sums)
    identity = states[0].identity
    return {
        "triptych": __version__,
        "base_model": options.model,
        "revision": loaded.revision,
        "criterion": options.criterion,
        "joint": {"lambda": options.joint_lambda, "beta": options.joint_beta},
        "retention_rate": options.retention,
        "compression_ratio": options.compression_ratio,
        "scope": options.scope,
        "protect": options.protect,
        "experts": sums.experts,
        "experts_per_token": sums.top_k,
        "calibration": {
            "sources": [
                {"modality": modality, "source": name, "sha256": sha256}
                for modality, name, sha256 in identity["sources"]
            ],
            "samples": identity["samples"],
            "rows": sums.rows_by("modality"),
            "tokens": sums.tokens_by("modality"),
            "left_out": [row for state in states for row in state.left_out],
            "dtype": identity["dtype"],
            "scores_sha256": sums.sha256,
        },
        "layers": [
            {
                "layer": layer,
                "kept": list(kept[place]),
                "scores": [float(f"{value:.9g}") for value in values[place]],
                "by_modality": {
                    name: [float(f"{value:.9g}") for value in each[place]] for name, each in modalities.items()
                },
            }
            for place, layer in enumerate(sums.layers)
        ],
    }
