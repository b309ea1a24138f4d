"""The audio gap: the loss of texts with another row's clip, less their loss with their own.

A model that hears expects the answer of a clip more when it hears that clip: the gap is above 0. Of a base model that
does not know the task it is small or below 0. A gap alone does not show that sound arrives: another clip is longer or
shorter, and so has more or fewer tokens. Hence each batch is also computed with the numbers of its sound set to zero,
as many as before: where not one loss changes, the sound does not reach the model's answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ....shards.media.streams import MediaError
from ...data.bad_rows import BadRow
from ...data.row_lengths import MODALITIES
from ...data.training_row import TrainingRow
from ...data.turns import Clip, Turn, Video
from ..prepare import computing_of
from ..scores.evaluations import leaving_no_trace

if TYPE_CHECKING:
    from ...data.encoder import Encoder
    from ..loop.objective import Objective
    from ..prepare import Prepared

FEATURES = "input_features"
"""The input of sound, in all families that hear."""

AUDIO = "audio"

ROWS = 8
"""Rows that a gap is measured on."""

_TRIES = 4
"""Rows whose sound is tried in the place of a row's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioGap:
    """Losses of the same texts with different sound, a mean over the tokens that are trained.

    Attributes:
        rows: Rows that were measured.
        own: The loss with each row's own clip.
        other: The loss with another row's clip.
        gap: How much lower it is with the own clip; below 0: it is higher.
        own_is_better: The share of rows whose own clip has the lower loss.
        is_heard: Whether any loss depends on what is in the sound.
    """

    rows: int
    own: float
    other: float
    gap: float
    own_is_better: float
    is_heard: bool


def audio_gap(
    model: Any,
    rows: Sequence[TrainingRow],
    encoder: Encoder,
    objective: Objective,
    *,
    computing: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> AudioGap | None:
    """Measure a model that is in evaluation mode on rows. None: no row has sound that can be exchanged.

    Args:
        objective: The loss over answers.
        computing: The context of a forward pass.
    """
    pairs = [pair for number in range(len(rows)) if (pair := _pair(rows, number, encoder)) is not None]
    if not pairs:
        return None
    found = [_losses(model, pair, encoder, objective, computing) for pair in pairs]
    items = sum(each[0] for each in found)
    own, other = (sum(each[place] for each in found) / items for place in (1, 2))
    return AudioGap(
        rows=len(found), own=own, other=other, gap=other - own,
        own_is_better=sum(each[1] < each[2] for each in found) / len(found),
        is_heard=any(each[1] != each[3] for each in found),
    )  # fmt: skip


def gap_of(prepared: Prepared, rows: int = ROWS) -> AudioGap | None:
    """The audio gap of a model as it is now, on the first rows of its run that have sound; nothing is changed.

    None: there are no two rows with different sound.
    """
    data, model = prepared.data, prepared.model
    if AUDIO not in data.modalities:
        return None
    encoder, objective = prepared.recipe.answers_of(prepared.encoder)
    bit = 1 << MODALITIES.index(AUDIO)
    order = data.plan.epoch(0)
    numbers: list[int] = []
    for batch in order.of_rank(0):
        numbers += [number for number in batch if data.lengths.modalities[number] & bit]
        if len(numbers) >= rows:
            break
    with leaving_no_trace(model):
        chosen = [data.rows[number] for number in numbers[:rows]]
        return audio_gap(model, chosen, encoder, objective, computing=computing_of(prepared))


def sounding(row: TrainingRow) -> tuple[str, ...]:
    """Its clips, and videos that are heard."""
    return tuple(
        each.path for each in row.media if isinstance(each, Clip) or (isinstance(each, Video) and _heard(each))
    )


def with_sound_of(row: TrainingRow, other: TrainingRow) -> TrainingRow | None:
    """A row that hears what another row hears, kind by kind and in order; None: the other has nothing different."""
    clips = [each for each in other.media if isinstance(each, Clip)]
    videos = [each for each in other.media if isinstance(each, Video) and _heard(each)]
    counts = {"clip": 0, "video": 0}

    def exchanged(part: Any) -> Any:
        kind, have = ("clip", clips) if isinstance(part, Clip) else ("video", videos)
        if not have or not (isinstance(part, Clip) or (isinstance(part, Video) and _heard(part))):
            return part
        counts[kind] += 1
        return have[(counts[kind] - 1) % len(have)]

    turns = tuple(Turn(turn.role, tuple(map(exchanged, turn.parts)), turn.is_learned) for turn in row.turns)
    made = replace(row, turns=turns)
    own, heard = sounding(row), sounding(made)
    return made if all(one != other for one, other in zip(own, heard, strict=True)) else None


def _heard(video: Video) -> bool:
    return video.with_sound


def _pair(rows: Sequence[TrainingRow], number: int, encoder: Encoder) -> tuple[Any, Any] | None:
    """A row as it is, and with the sound of the next row that has other sound."""
    row = rows[number]
    if not sounding(row):
        return None
    try:
        own = encoder.encode(row)
    except (BadRow, MediaError):
        return None  # the run's own check of rows names it
    tries = 0
    for step in range(1, len(rows)):
        made = with_sound_of(row, rows[(number + step) % len(rows)])
        if made is None:
            continue
        tries += 1
        try:
            return own, encoder.encode(made)
        except (BadRow, MediaError):  # with it the row is too long, say
            if tries == _TRIES:
                break
    return None


def _losses(
    model: Any, pair: tuple[Any, Any], encoder: Encoder, objective: Objective, computing: Callable[[], Any]
) -> tuple[int, float, float, float]:
    """Trained tokens of a row, and its loss with its own sound, with another's, and with none in its place."""
    import torch

    device = next(model.parameters()).device
    own, other = (encoder.join([each]) for each in pair)
    silent = {**own, FEATURES: torch.zeros_like(own[FEATURES])}
    found = []
    with torch.no_grad(), computing():
        for inputs in (own, other, silent):
            moved = {name: value.to(device) if hasattr(value, "to") else value for name, value in inputs.items()}
            found.append(sum(float(each) for each in objective.losses(model, moved).values()))
    return objective.items(own), found[0], found[1], found[2]
