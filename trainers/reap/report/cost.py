"""What pruning costs: the perplexity of answers by modality, and scores on exports, before and after.

Rows that were not calibrated on are read: those after them in each source. The model is asked as if its experts were
pruned (masks.py), so pruning at random and by frequency stand beside without further models being written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.bad_rows import LeftOut
from ...models.training_model import TrainingModel
from ..criteria import Kept
from ..scores.calibration import Source
from ..scores.masks import pruned_to
from ..scores.measure import encode, hidden_states, inputs_on
from ..scores.moe_layers import MoeLayer

if TYPE_CHECKING:
    from ....shards.store.store import Store
    from ...sft.conversation_encoder import ConversationEncoder, Encoded

BEFORE = "before"
IGNORED = -100


@dataclass(frozen=True, slots=True)
class Perplexity:
    """Of the answers of some rows: e to the mean loss of a token.

    Attributes:
        left_out: Rows that could not be read.
        values: By what is kept: `before`, a criterion, `random` ...
    """

    modality: str
    rows: int
    left_out: int
    tokens: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class EvaluatedExport:
    """Scores on an export: what `triptych evaluate` says of the answers.

    Attributes:
        values: By what is kept.
    """

    export: str
    metric: str
    more_is_better: bool
    rows: int
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
    tokens: int = 0
    sums: dict[str, float] = field(default_factory=dict)


def perplexities(
    loaded: TrainingModel,
    layers: Sequence[MoeLayer],
    encoder: ConversationEncoder,
    sources: Sequence[Source],
    choices: Mapping[str, Kept | None],
    *,
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
        for row in source.rows(start=after, stop=after + rows):
            encoded = encode(encoder, row)
            if isinstance(encoded, LeftOut):
                losses.left_out += 1
            else:
                _add_row(losses, loaded, layers, encoder, encoded, choices)
    made = tuple(
        Perplexity(name, each.rows, each.left_out, each.tokens,
                   {kind: math.exp(min(total / each.tokens, 700.0)) for kind, total in each.sums.items()})
        for name, each in found.items() if each.tokens
    )  # fmt: skip
    return made, tuple(name for name, each in found.items() if not each.tokens)


def _add_row(
    losses: _Losses, loaded: TrainingModel, layers: Sequence[MoeLayer], encoder: ConversationEncoder,
    encoded: Encoded, choices: Mapping[str, Kept | None],
) -> None:  # fmt: skip
    import torch

    inputs = inputs_on(loaded.model, encoder.join([encoded]))
    labels = inputs["labels"][0, 1:]
    is_answer = labels != IGNORED
    if not bool(is_answer.any()):
        return
    with torch.inference_mode():
        for name, kept in choices.items():
            with pruned_to(layers, kept):
                hidden = hidden_states(loaded.model, inputs)[0, :-1][is_answer]
                logits = loaded.model.lm_head(hidden).float()
            loss = torch.nn.functional.cross_entropy(logits, labels[is_answer], reduction="sum")
            losses.sums[name] = losses.sums.get(name, 0.0) + float(loss)
    losses.rows += 1
    losses.tokens += int(is_answer.sum())


def evaluated(
    loaded: TrainingModel,
    layers: Sequence[MoeLayer],
    exports: Sequence[str],
    choices: Mapping[str, Kept | None],
    *,
    store: Store,
    metric: str | None,
    rows: int | None,
    max_new_tokens: int,
    out: Path,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[EvaluatedExport, ...]:
    """Ask the model about exports, as if its experts were pruned, and score its answers.

    Args:
        out: The folder of the answers.

    Raises:
        UsageError: An export has no answers to compare with, or several metrics and none is named.
    """
    from ...runs.config.sections import EvaluationSection
    from ...runs.scores.answers import AnswerScores

    found = []
    for reference in exports:
        told: dict[str, Any] = {"export": reference, "max_new_tokens": max_new_tokens}
        told |= {name: value for name, value in (("metric", metric), ("rows", rows)) if value is not None}
        section = EvaluationSection(**told)
        values, chosen = {}, None
        for name, kept in choices.items():
            tell(f"{reference}: {name}")
            scorer = AnswerScores.open(
                section, loaded=loaded, store=store, out=out / reference.replace("@", "-") / name,
                step=lambda: 0, gathered=lambda each: [each],
            )  # fmt: skip
            with pruned_to(layers, kept):
                measured = scorer(loaded.model)
            chosen = next(each for each in measured if each.selects)
            values[name] = float(chosen.value)
        assert chosen is not None
        found.append(
            EvaluatedExport(
                reference, chosen.name, chosen.more_is_better, int((chosen.counts or {}).get("rows", 0)), values
            )
        )
    return tuple(found)
