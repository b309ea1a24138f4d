"""What calibration rows told about the experts, and what they did not: a report before anything is pruned.

* how many tokens, with which weight, each expert was given, by modality, language and dataset;
* experts that saw fewer tokens than a mean is worth;
* which experts each modality would keep if it were asked alone, which of them no other modality would keep, and how
  far they are the same;
* what the rows lack: a modality that the model has a part for, and the rows that would show more of the experts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..criteria import Kept, kept_by_modality, lost, reap
from ..scores.calibration import OTHER
from ..scores.calibration_rows import Calibrated
from ..scores.capture import TOKENS
from ..scores.expert_sums import AUDIO, MIXED, PANELS, VIDEO, ExpertSums, Stratum
from ..scores.export_command import export_command, name_of

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]

COLUMNS = ("modality", "language", "dataset")
SHOWN_STRATA = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rows of one value of a column showed.

    Attributes:
        unseen: Experts, of all layers, that no token was given to.
        below: Experts that fewer tokens were given to than are asked for.
    """

    column: str
    value: str
    rows: int
    tokens: int
    unseen: int
    below: int


@dataclass(frozen=True, slots=True)
class Need:
    """What one modality would keep, asked alone.

    Attributes:
        kept: By layer.
        alone: Of these, the experts that no other modality would keep, by layer.
        pruned: Of these, the experts that are pruned, by layer.
    """

    modality: str
    kept: Kept
    alone: Kept
    pruned: Kept


@dataclass(frozen=True, slots=True)
class Advice:
    """Rows that would show more of the experts.

    Attributes:
        experts: How many of those below the threshold such rows reach.
        rows: About how many more rows bring them there; None: rows of this kind were never seen.
        command: What to type.
    """

    what: str
    experts: int
    rows: int | None
    command: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known about the experts.

    Attributes:
        least: Tokens below which a score is not worth much.
        below: Experts below it, by layer.
        unseen: Experts that no token was given to, by layer.
        overlap: Of two sets of kept experts, how far they are the same: shared by all in either (Jaccard).
        warnings: What to know before pruning.
    """

    layers: tuple[int, ...]
    experts: int
    count: int
    least: int
    seen: tuple[Seen, ...]
    below: Kept
    unseen: Kept
    needs: tuple[Need, ...]
    overlap: Mapping[str, float]
    advice: tuple[Advice, ...]
    warnings: tuple[str, ...]

    @property
    def is_thin(self) -> int:
        """How many experts saw fewer tokens than `least`."""
        return sum(map(len, self.below))


def coverage(
    sums: ExpertSums, kept: Kept, *, count: int, least: int, is_omni: bool, calibrated: Calibrated | None = None
) -> Coverage:
    """Report what was measured.

    Args:
        kept: The experts that are to be kept.
        count: How many a modality would keep in a layer.
        least: Tokens below which an expert is named.
        is_omni: Whether the model hears and sees.
        calibrated: Which rows were measured; None: it is not known.
    """
    total = sums.total()
    tokens = total[..., TOKENS]
    needs = _needs(sums, kept, count)
    below = _named(tokens < least)
    found = Coverage(
        layers=sums.layers, experts=sums.experts, count=count, least=least,
        seen=tuple(each for column in COLUMNS for each in _seen(sums, column, least)),
        below=below, unseen=_named(tokens == 0), needs=needs, overlap=_overlap(needs, kept),
        advice=_advice(sums, tokens, least=least, is_omni=is_omni), warnings=(),
    )  # fmt: skip
    return _with_warnings(found, sums, is_omni=is_omni, calibrated=calibrated)


def _named(wanted: Any) -> Kept:
    return tuple(tuple(int(each) for each in layer.nonzero()[0]) for layer in wanted)


def _seen(sums: ExpertSums, column: str, least: int) -> list[Seen]:
    found = []
    tokens, rows = sums.tokens_by(column), sums.rows_by(column)
    for value, each in sums.by(column).items():
        given = each[..., TOKENS]
        found.append(
            Seen(column, value, rows[value], tokens[value], int((given == 0).sum()), int((given < least).sum()))
        )
    return found


def _needs(sums: ExpertSums, kept: Kept, count: int) -> tuple[Need, ...]:
    alone = kept_by_modality(sums, count)
    found = []
    for name, own in alone.items():
        others = [set().union(*(alone[other][place] for other in alone if other != name)) for place in range(len(own))]
        only = tuple(tuple(sorted(set(layer) - other)) for layer, other in zip(own, others, strict=True))
        found.append(Need(name, own, only, lost(own, kept)))
    return tuple(found)


def _overlap(needs: Sequence[Need], kept: Kept) -> dict[str, float]:
    sets = {label_of(need.modality): need.kept for need in needs} | {"kept": kept}
    names = list(sets)
    return {
        f"{one} and {other}": _jaccard(sets[one], sets[other])
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    }


def _jaccard(one: Kept, other: Kept) -> float:
    pairs = [(set(a), set(b)) for a, b in zip(one, other, strict=True)]
    either = sum(len(a | b) for a, b in pairs)
    return sum(len(a & b) for a, b in pairs) / either if either else 1.0


def label_of(modality: str) -> str:
    """`S1 (audio)`: the panel and the modality."""
    return f"{PANELS[modality]} ({modality})" if modality in PANELS else modality


# ---- what is lacking


def _advice(sums: ExpertSums, tokens: Floats, *, least: int, is_omni: bool) -> tuple[Advice, ...]:
    import numpy as np

    thin = tokens < least
    found: list[Advice] = []
    there = {stratum.modality for stratum in sums.of}
    if is_omni:
        for modality in (AUDIO, VIDEO, MIXED):
            if modality not in there:
                found.append(Advice(
                    f"rows of the modality {modality}", 0, None,
                    export_command(modality),
                ))  # fmt: skip
    if not thin.any():
        return tuple(found)
    ranked: list[tuple[int, int, Stratum]] = []
    for stratum, each in sums.of.items():
        rate = each[..., TOKENS] / sums.rows[stratum]
        reached = thin & (rate > 0)
        if reached.any():
            rows = np.ceil((least - tokens[reached]) / rate[reached]).max()
            ranked.append((int(reached.sum()), int(rows), stratum))
    datasets: dict[str, set[str]] = {}
    for stratum in sums.of:
        datasets.setdefault(stratum.modality, set()).add(stratum.dataset)
    for experts, rows, stratum in sorted(ranked, key=lambda each: (-each[0], each[1], each[2]))[:SHOWN_STRATA]:
        # Of all datasets that were measured: the export takes the place of the one that was read.
        own = datasets[stratum.modality]
        found.append(Advice(
            f"rows of {stratum.dataset}, {stratum.language}, {stratum.task} ({stratum.modality})", experts, rows,
            export_command(stratum.modality, datasets=() if OTHER in own else own, rows=sums.rows[stratum] + rows),
        ))  # fmt: skip
    return tuple(found)


def _with_warnings(found: Coverage, sums: ExpertSums, *, is_omni: bool, calibrated: Calibrated | None) -> Coverage:
    there = {stratum.modality for stratum in sums.of}
    warnings: list[str] = []
    if is_omni:
        lacking = {
            "sound": not there & {AUDIO, MIXED}, "pictures": not there & {VIDEO, MIXED},
        }  # fmt: skip
        for what, is_lacking in lacking.items():
            if is_lacking:
                missing = VIDEO if what == "pictures" else AUDIO
                warnings.append(
                    f"no calibration row has {what}: experts that only {what} need score next to nothing and are"
                    f" pruned first; add --{missing} {name_of(missing)} ({export_command(missing)})"
                )
    for each in () if calibrated is None else calibrated.repeats:
        warnings.append(f"{each.rows:,} {each.modality} rows are the same as earlier ones (the first: {each.first}):"
                        " what they reach counts twice")  # fmt: skip
    unseen = sum(map(len, found.unseen))
    everything = found.experts * len(found.layers)
    if unseen:
        warnings.append(f"{unseen:,} of {everything:,} experts were given no token: they score 0 and are pruned first")
    if found.is_thin > unseen:
        warnings.append(f"{found.is_thin:,} of {everything:,} experts were given fewer than {found.least} tokens: what "
                        "they score is chance; see the report for rows that reach them")  # fmt: skip
    for need in found.needs:
        if (gone := sum(map(len, need.pruned))) and (sums_of := sum(map(len, need.kept))) and gone / sums_of > 0.25:
            warnings.append(f"{gone:,} of the {sums_of:,} experts that {label_of(need.modality)} would keep alone are "
                            f"pruned ({gone / sums_of:.0%})")  # fmt: skip
    return replace(found, warnings=tuple(warnings))


def scores_by_modality(sums: ExpertSums) -> dict[str, Floats]:
    """The saliency of each expert by modality, for plots and manifests."""
    return {name: reap(each) for name, each in sums.by_modality().items()}
