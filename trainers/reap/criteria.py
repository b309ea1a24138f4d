"""Scores of experts from their sums, and which are kept.

    reap       mean of g |f| over the tokens that the expert was given       REAP, arXiv 2510.13999, equation 9
    frequency  the number of these tokens
    ean        sum of |f| over them (expert activation norm)
    joint      A = S1 + lambda max(0, S3 - beta S2): reap on sound (S1), video (S2), both (S3); REAP-OMNI

An expert that was given no token scores 0. Of a layer the best are kept, in their order; of equal scores the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from .scores.capture import NORM, TOKENS, WEIGHED_NORM
from .scores.expert_sums import ExpertSums

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

REAP, FREQUENCY, EAN, JOINT, RANDOM = "reap", "frequency", "ean", "joint", "random"
CRITERIA = (REAP, FREQUENCY, EAN, JOINT)
PER_LAYER, GLOBAL = "layer", "global"
SCOPES = (PER_LAYER, GLOBAL)
NO_PROTECTION, SUPER_EXPERTS, OUTLIERS = "none", "super-experts", "outliers"
PROTECTIONS = (NO_PROTECTION, SUPER_EXPERTS, OUTLIERS)

Kept = tuple[tuple[int, ...], ...]
"""The experts that are kept, layer by layer, in ascending order."""


def reap(sums: Floats) -> Floats:
    """The mean of g |f| over routed tokens, of sums of the shape (..., experts, 4)."""
    return _mean(sums[..., WEIGHED_NORM], sums[..., TOKENS])


def _mean(sums: Floats, counts: Floats) -> Floats:
    import numpy as np

    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def joint(s1: Floats, s2: Floats, s3: Floats, *, weight: float = 1.0, beta: float = 1.0) -> Floats:
    """The joint affinity of REAP-OMNI: what sound needs, and what both together need beyond video."""
    import numpy as np

    found: Floats = s1 + weight * np.maximum(0.0, s3 - beta * s2)
    return found


def scores(criterion: str, sums: ExpertSums, *, weight: float = 1.0, beta: float = 1.0) -> Floats:
    """The score of each expert; shape (layers, experts).

    Raises:
        UsageError: `joint` without rows of sound.
    """
    if criterion == JOINT:
        import numpy as np

        found = {name: reap(each) for name, each in sums.by_modality().items()}
        if "audio" not in found:
            raise UsageError("--criterion joint: it begins with what sound needs, and no --audio was measured.",
                             hint="add --audio NAME, or --criterion reap")  # fmt: skip
        none = np.zeros((len(sums.layers), sums.experts))
        return joint(*(found.get(name, none) for name in ("audio", "video", "mixed")), weight=weight, beta=beta)
    total = sums.total()
    if criterion == FREQUENCY:
        return total[..., TOKENS]
    return total[..., NORM] if criterion == EAN else reap(total)


def random_scores(layers: int, experts: int, seed: int) -> Floats:
    """Scores of nothing: what pruning at random keeps."""
    import numpy as np

    return np.random.default_rng(seed).random((layers, experts))


# ---- how many


def keep_count(experts: int, *, retention: float | None = None, compression: float | None = None) -> int:
    """How many experts of a layer are kept: that share of them rounded down; or all but a share, itself rounded down.

    Raises:
        UsageError: Not exactly one of both is given, or it is no share.
    """
    if (retention is None) == (compression is None):
        raise UsageError("give one of --retention-rate and --compression-ratio.")
    for flag, value in (("--retention-rate", retention), ("--compression-ratio", compression)):
        if value is not None and not 0 < value < 1:
            raise UsageError(f"{flag} {value:g}: expected a share between 0 and 1.")
    if retention is not None:
        return _floor(experts, retention)
    return experts - _floor(experts, compression or 0.0)


def _floor(experts: int, share: float) -> int:
    """The number as it is written: 0.29 of 100 is 29, though the nearest float is below it."""
    return int((Decimal(str(share)) * experts).to_integral_value(ROUND_FLOOR))


def check_count(count: int, *, experts: int, top_k: int) -> None:
    """Raise UsageError if a router could not choose as many experts as it must, or nothing would be pruned."""
    if count < top_k:
        raise UsageError(
            f"{count} of {experts} experts would be left, and each token is given to {top_k}.",
            hint=f"keep more: --retention-rate {-(-1000 * top_k // experts) / 1000:g}",
        )
    if count >= experts:
        raise UsageError(
            f"all {experts} experts would be kept: nothing is pruned.",
            hint="a lower --retention-rate, or a higher --compression-ratio",
        )


# ---- which


def protected(largest: Floats, how: str) -> Any:
    """The super experts, whose outputs are far larger than those of all others; shape (layers, experts).

    Above the 99.5th percentile of all, and above a tenth of the largest; `super-experts`: of the first three quarters
    of the layers, `outliers`: of all.
    """
    import numpy as np

    if how == NO_PROTECTION:
        return np.zeros(largest.shape, bool)
    found = largest > threshold(largest)
    if how == SUPER_EXPERTS:
        found[int(0.75 * len(largest)) :] = False
    return found


def threshold(largest: Floats) -> float:
    """Above it an expert is a super expert."""
    import numpy as np

    return float(max(np.percentile(largest, 99.5), largest.max() / 10))


def keep(values: Floats, count: int, *, protect: Any = None) -> Kept:
    """The best experts of each layer.

    Args:
        values: Shape (layers, experts).
        protect: Experts that are kept whatever they score.
    """
    import numpy as np

    if not np.isfinite(values).all():
        raise UsageError("a score is not a finite number: the model's outputs are not.", hint="--dtype fp32, or bf16")
    ranked = values if protect is None else np.where(protect, np.inf, values)
    if protect is not None and int(protect.sum(1).max()) > count:
        raise UsageError(f"{int(protect.sum(1).max())} experts of a layer are protected, and {count} are kept.",
                         hint="keep more, or --protect none")  # fmt: skip
    return tuple(tuple(sorted(int(each) for each in np.argsort(-layer, kind="stable")[:count])) for layer in ranked)


def keep_globally(values: Floats, count: int, *, top_k: int, protect: Any = None) -> Kept:
    """The best experts of all layers together, `count` for each layer on average, and at least `top_k` in each.

    Scores are divided by the mean of their layer: outputs grow from layer to layer.
    """
    import numpy as np

    means = values.mean(axis=1, keepdims=True)
    relative = np.divide(values, means, out=np.zeros_like(values), where=means > 0)
    if protect is not None:
        relative = np.where(protect, np.inf, relative)
    layers, experts = values.shape
    is_kept = np.zeros((layers, experts), bool)
    for layer in range(layers):
        is_kept[layer, np.argsort(-relative[layer], kind="stable")[:top_k]] = True
    order = np.argsort(-relative.reshape(-1), kind="stable")
    free = count * layers - int(is_kept.sum())
    for place in order[~is_kept.reshape(-1)[order]][:free]:
        is_kept[divmod(int(place), experts)] = True
    return tuple(tuple(int(each) for each in np.flatnonzero(row)) for row in is_kept)


def kept_by_modality(sums: ExpertSums, count: int) -> Mapping[str, Kept]:
    """What each modality would keep, asked alone, by `reap`."""
    return {name: keep(reap(each), count) for name, each in sums.by_modality().items()}


def lost(needed: Sequence[Sequence[int]], kept: Sequence[Sequence[int]]) -> Kept:
    """Of the experts that are needed, those that are not kept."""
    return tuple(tuple(sorted(set(one).difference(other))) for one, other in zip(needed, kept, strict=True))
