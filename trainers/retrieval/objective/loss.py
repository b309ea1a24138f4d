"""The losses of term retrieval, on vectors of length 1: which sound says which text, and names which terms.

What says or names the same is never pushed apart: a text or a term that occurs twice in a batch is one, and a clip that
names two terms is held against those that it does not name. All similarities carry gradients, those of terms that were
found in an index too: an index says which terms to look at, and the current weights how near they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..model.model_inputs import AUDIO, NEAR, TERMS, TEXT

if TYPE_CHECKING:
    import torch

AUDIO_TEXT, AUDIO_TERM, HARD_NEGATIVE, NO_TERM = "audio_text", "audio_term", "hard_negative", "no_term"

_NOTHING = -1e4
"""A logit whose exponential is 0 in every format; its gradient is 0, where that of minus infinity is no number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossSettings:
    """How the losses are weighed; the defaults are those of InfiniSST's term retriever.

    Attributes:
        temperature: Similarities are divided by it.
        audio_text, audio_term, hard_negative, no_term: The weight of each loss.
        hard_negative_margin: How much nearer a clip's own term must be than another one.
        no_term_margin: How near a clip without terms may be to the nearest term, as a cosine.
    """

    temperature: float = 0.07
    audio_text: float = 0.3
    audio_term: float = 0.7
    hard_negative: float = 0.2
    no_term: float = 0.5
    hard_negative_margin: float = 0.1
    no_term_margin: float = 0.15

    def weighted(self, losses: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Each loss times its weight, by name."""
        return {name: getattr(self, name) * loss for name, loss in losses.items()}


@dataclass(frozen=True, slots=True, eq=False)
class BothWays:
    """A loss in both directions; what is minimised is their mean."""

    to_text: torch.Tensor
    to_audio: torch.Tensor

    @property
    def mean(self) -> torch.Tensor:
        return (self.to_text + self.to_audio) / 2


def info_nce(similarities: torch.Tensor, positives: torch.Tensor, temperature: float = 0.07) -> BothWays:
    """Tell each clip's own texts (or terms) from those of others, and each text's own clips from other clips.

    Args:
        similarities: Of each clip (row) and each text (column).
        positives: Where a text is one of the clip's. A row or column without any is only held against the others.
    """
    logits = similarities / temperature
    others = logits.masked_fill(positives, _NOTHING)
    return BothWays(*(_one_way(logits, others, positives, dim) for dim in (1, 0)))


def _one_way(logits: torch.Tensor, others: torch.Tensor, positives: torch.Tensor, dim: int) -> torch.Tensor:
    """Each positive against all that is no positive of its row (or column): the mean over those that have any."""
    from torch.nn.functional import softplus

    against = others.logsumexp(dim, keepdim=True)
    each = softplus(against - logits) * positives
    counts = positives.sum(dim)
    means = each.sum(dim) / counts.clamp(min=1)
    return means.sum() / (counts > 0).sum().clamp(min=1)


def no_term_loss(similarities: torch.Tensor, margin: float = 0.15) -> torch.Tensor:
    """What clips without terms are nearer to their nearest term than the margin: the mean over these clips.

    Args:
        similarities: Of each such clip (row) and each term that it is held against (column).
    """
    if not similarities.numel():
        return similarities.sum()
    return (similarities.amax(1) - margin).relu().mean()


def hard_negative_loss(
    own: torch.Tensor, others: torch.Tensor, is_there: torch.Tensor | None = None, margin: float = 0.1
) -> torch.Tensor:
    """What near terms that a clip does not name are nearer than its own, or by less than the margin less near.

    Args:
        own: The similarity of each clip and its own term: shape (clips,).
        others: Of each clip and the near terms that it does not name: shape (clips, terms).
        is_there: Which of these there are, where clips have different numbers of them; default: all.

    Returns:
        The mean over clips that have any, of the mean over their near terms.
    """
    import torch

    if is_there is None:
        is_there = torch.ones_like(others, dtype=torch.bool)
    each = (margin + others - own[:, None]).relu() * is_there
    counts = is_there.sum(1)
    return (each.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


class Glossary(Protocol):
    """Where near terms are looked for."""

    def inputs(self, model: Any, audio: Any, own: Any) -> dict[str, Any]:
        """The terms near to any clip of a batch as the model takes them, without those that any clip of it names."""


@dataclass(frozen=True, slots=True)
class ContrastiveLoss:
    """The objective.

    The inputs of a batch: what the model takes of each clip (`audio`), of its words (`text`), and of each term that the
    batch names, once (`terms`); `has_text`; `same_text`, where two clips have the same words; `names`, which clip names
    which term; and `own`, the rows of each clip's terms in the glossary.

    Attributes:
        near: Near terms of a clip; None: clips are not held against them.
        glossary: Where near terms are looked for; None: among the terms of the batch.
    """

    settings: LossSettings
    near: int | None = None
    glossary: Glossary | None = None

    @property
    def measures(self) -> Mapping[str, tuple[Any, int]]:
        """Nothing beside the losses."""
        return {}

    def items(self, inputs: Mapping[str, Any]) -> int:
        """The clips of a batch."""
        return len(inputs["has_text"])

    def losses(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        import torch

        settings, names = self.settings, inputs["names"]
        vectors = model(inputs)
        audio, worded = vectors[AUDIO], inputs["has_text"].nonzero()[:, 0]
        texts = audio[worded] @ vectors[TEXT][worded].T
        found = {AUDIO_TEXT: info_nce(texts, inputs["same_text"][worded][:, worded], settings.temperature).mean}
        terms = audio @ vectors[TERMS].T if TERMS in vectors else audio.new_zeros(len(audio), 0)
        is_named = names.any(1)
        # Clips without terms have a loss of their own; here a term is told from the clips that name others.
        found[AUDIO_TERM] = info_nce(terms[is_named], names[is_named], settings.temperature).mean
        others, is_own = terms, names
        if self.glossary is not None and (near := self.glossary.inputs(model, audio, inputs["own"])):
            others = torch.cat([terms, audio @ model(near)[NEAR].T], 1)
            is_own = torch.nn.functional.pad(names, (0, others.shape[1] - names.shape[1]))
        if bool((~is_named).any()):
            found[NO_TERM] = no_term_loss(others[~is_named], settings.no_term_margin)
        if self.near is not None and bool(is_named.any()):
            own = terms.masked_fill(~names, -2.0).amax(1)[is_named]
            nearest = others.masked_fill(is_own, -2.0)[is_named]
            nearest = nearest.topk(min(self.near, nearest.shape[1]), dim=1).values
            found[HARD_NEGATIVE] = hard_negative_loss(own, nearest, nearest > -2.0, settings.hard_negative_margin)
        clips = self.items(inputs)
        return {name: loss * clips for name, loss in settings.weighted(found).items()}
