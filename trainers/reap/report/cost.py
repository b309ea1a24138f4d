"""What pruning costs: the perplexity of answers by modality, and scores on exports, before and after.

Rows that were not calibrated on are read: those after them in each source, but for those that ask the same of the same
media. Where media were calibrated on under another question, that is counted. The model is asked as if its experts were
pruned (masks.py), so pruning at random and by frequency stand beside without further models being written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.bad_rows import LeftOut
from ...models.training_model import TrainingModel
from ..criteria import Kept
from ..scores.calibration import Source
from ..scores.calibration_rows import Calibrated
from ..scores.masks import pruned_to
from ..scores.measure import encode, hidden_states, inputs_on
from ..scores.moe_layers import MoeLayer

if TYPE_CHECKING:
    from ....shards.store.store import Store
    from ...runs.scores.answers import AnswerScores
    from ...sft.conversation_encoder import ConversationEncoder, Encoded

BEFORE = "before"
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Perplexity:
    """Of the answers of some rows: e to the mean loss of a token.

    Attributes:
        left_out: Rows that could not be read.
        shared: Of the rows, those with a medium that was calibrated on.
        values: By what is kept: `before`, a criterion, `random` ...
    """

    modality: str
    rows: int
    left_out: int
    shared: int
    tokens: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EvaluatedExport:
    """Scores on an export: what `triptych evaluate` says of the answers.

    Attributes:
        shared: Of the rows, those with a medium that was calibrated on; None: it is not known what was.
        values: By what is kept.
    """

    export: str
    metric: str
    more_is_better: bool
    rows: int
    shared: int | None
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What pruning costs.

    Attributes:
        unmeasured: Modalities without rows that were not calibrated on.
    """

    kinds: tuple[str, ...]
    perplexities: tuple[Perplexity, ...] = ()
    unmeasured: tuple[str, ...] = ()
    exports: tuple[EvaluatedExport, ...] = ()


@dataclass(slots=True)
class _Losses:
    rows: int = 0
    left_out: int = 0
    shared: int = 0
    tokens: int = 0
    sums: dict[str, float] = field(default_factory=dict)


def perplexities(
    loaded: TrainingModel,
    layers: Sequence[MoeLayer],
    encoder: ConversationEncoder,
    sources: Sequence[Source],
    choices: Mapping[str, Kept | None],
    *,
    calibrated: Calibrated,
    after: int | None,
    rows: int,
) -> tuple[tuple[Perplexity, ...], tuple[str, ...]]:
    """Measure the perplexity of answers, and name the modalities that have no rows for it.

    Args:
        choices: What is kept, by name; None: every expert.
        after: How many rows of each source were calibrated on; None: all, so there is none left.
        rows: How many rows of each source are read.
    """
    loaded.model.eval()
    found: dict[str, _Losses] = {}
    for source in sources:
        losses = found.setdefault(source.modality, _Losses())
        if after is None:
            continue
        others = (each for each in source.rows(start=after) if each.row is None or not calibrated.has(each.row.turns))
        for row in islice(others, rows):
            encoded = encode(encoder, row)
            if isinstance(encoded, LeftOut):
                losses.left_out += 1
            elif _add_row(losses, loaded, layers, encoder, encoded, choices):
                losses.shared += row.row is not None and calibrated.shares(row.row.turns)
    made = tuple(
        Perplexity(name, each.rows, each.left_out, each.shared, each.tokens,
                   {kind: math.exp(min(total / each.tokens, 700.0)) for kind, total in each.sums.items()})
        for name, each in found.items() if each.tokens
    )  # fmt: skip
    return made, tuple(name for name, each in found.items() if not each.tokens)


def _add_row(
    losses: _Losses, loaded: TrainingModel, layers: Sequence[MoeLayer], encoder: ConversationEncoder,
    encoded: Encoded, choices: Mapping[str, Kept | None],
) -> bool:  # fmt: skip
    """Add the losses of a row; whether it has an answer to measure."""
    import torch

    inputs = inputs_on(loaded.model, encoder.join([encoded]))
    labels = inputs["labels"][0, 1:]
    is_answer = labels != IGNORED
    if not bool(is_answer.any()):
        return False
    with torch.inference_mode():
        for name, kept in choices.items():
            with pruned_to(layers, kept):
                hidden = hidden_states(loaded.model, inputs)[0, :-1][is_answer]
                logits = loaded.model.lm_head(hidden).float()
            loss = torch.nn.functional.cross_entropy(logits, labels[is_answer], reduction="sum")
            losses.sums[name] = losses.sums.get(name, 0.0) + float(loss)
    losses.rows += 1
    losses.tokens += int(is_answer.sum())
    return True


def open_evaluations(
    loaded: TrainingModel, exports: Sequence[str], *, store: Store, metric: str | None, rows: int, max_new_tokens: int,
    out: Path,
) -> dict[str, AnswerScores]:  # fmt: skip
    """Read what is to be asked, by export: before anything is measured, since it may be refused.

    Args:
        out: The folder of the answers.

    Raises:
        UsageError: An export has no answers to compare with, or several metrics and none is named.
    """
    from ...runs.config.sections import EvaluationSection
    from ...runs.scores.answers import AnswerScores

    named: dict[str, Any] = {"rows": rows, "max_new_tokens": max_new_tokens}
    named |= {} if metric is None else {"metric": metric}
    return {
        reference: AnswerScores.open(
            EvaluationSection(export=reference, **named), loaded=loaded, store=store,
            out=out / reference.replace("@", "-"), step=lambda: 0, gathered=lambda each: [each],
        )
        for reference in exports
    }  # fmt: skip


def evaluated(
    loaded: TrainingModel,
    layers: Sequence[MoeLayer],
    opened: Mapping[str, AnswerScores],
    choices: Mapping[str, Kept | None],
    calibrated: Calibrated | None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[EvaluatedExport, ...]:
    """Ask the model about exports, as if its experts were pruned, and score its answers.

    Args:
        opened: What `open_evaluations` returned.
        calibrated: What was calibrated on; None: it is not known.
    """
    found = []
    for reference, scorer in opened.items():
        values, chosen = {}, None
        for name, kept in choices.items():
            tell(f"{reference}: {name}")
            with pruned_to(layers, kept):
                measured = replace(scorer, out=scorer.out / name)(loaded.model)
            chosen = next(each for each in measured if each.selects)
            values[name] = float(chosen.value)
        assert chosen is not None
        shared = None if calibrated is None else shared_rows(scorer, calibrated)
        found.append(
            EvaluatedExport(
                reference, chosen.name, chosen.more_is_better, int((chosen.counts or {}).get("rows", 0)), shared, values
            )
        )
    return tuple(found)


def shared_rows(scorer: AnswerScores, calibrated: Calibrated) -> int:
    """How many rows of an export have a medium that was calibrated on."""
    return sum(calibrated.shares(question.turns) for question in scorer.asked.questions)
