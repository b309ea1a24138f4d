"""What is unusual in the rows and batches of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from ....errors import amount
from ...models.families import AUDIO_TOWER, Family
from .audio_gap import AudioGap
from .findings import ERROR, WARNING, Finding
from .rows import ShownRow

PADDING = 0.1
"""The share of padding above which batches are worth planning by tokens."""


def left_out(reasons: Mapping[str, int], rows: int, max_tokens: int) -> Iterator[Finding]:
    """Yield the rows that are not trained on."""
    count = sum(reasons.values())
    if not count:
        return
    named = ", ".join(f"{number:,} {reason}" for reason, number in sorted(reasons.items()))
    advice = "rows_left_out.jsonl of the run will name each"
    if "too_many_tokens" in reasons:
        advice = f"raise data.max_tokens (now {max_tokens:,}), or export with --max-tokens; {advice}"
    yield Finding(
        WARNING, "rows_left_out", f"{count:,} of {amount(count + rows, 'row', 'are')} left out: {named}.", advice
    )  # fmt: skip


def padding(share: float, *, by_tokens: bool) -> Iterator[Finding]:
    """Yield batches of which much is padding."""
    if share <= PADDING:
        return
    advice = "a larger data.batch_tokens" if by_tokens else "--set data.batch_tokens=N in place of training.batch_size"
    yield Finding(WARNING, "padding", f"{share:.0%} of the batches are padding.", f"{advice}: rows of like length")


def trained_tokens(rows: Sequence[ShownRow], *, is_pretraining: bool) -> Iterator[Finding]:
    """Yield rows of which next to nothing is trained, or everything."""
    few = [row.id for row in rows if row.trained <= 1]
    if few:
        yield Finding(
            WARNING, "one_trained_token",
            f"{len(few)} of {len(rows)} rows that were looked at have one trained token or none: {', '.join(few[:3])}.",
            "the end of an answer is trained and nothing before it: look at the answers of the export",
        )  # fmt: skip
    whole = [row.id for row in rows if row.trained + row.media == row.tokens]
    if whole and not is_pretraining:
        yield Finding(
            WARNING, "all_trained",
            f"{len(whole)} of {len(rows)} rows that were looked at are trained whole, prompts included: "
            f"{', '.join(whole[:3])}.",
            "right for texts to learn as they are; otherwise the rows lack a question: see the view's turns",
        )  # fmt: skip


def no_sound(family: Family, modalities: Collection[str]) -> Iterator[Finding]:
    """Yield a model that hears, and rows without sound."""
    if AUDIO_TOWER in family.component_names and "audio" not in modalities:
        yield Finding(
            WARNING, "no_sound", f"{family.name} hears, and no row of the export has sound: it learns the texts alone.",
            "export a view with sound: triptych export conversation --dataset NAME",
        )  # fmt: skip


def unheard(gap: AudioGap | None) -> Iterator[Finding]:
    """Yield sound that does not reach the loss."""
    if gap is not None and not gap.is_heard:
        yield Finding(
            ERROR, "sound_unheard",
            f"the losses of {gap.rows} rows are the same with their sound and with zeros in its place: "
            "sound does not reach what the model says.",
            "check the model's files: its projector's weights may be zero, or its forward pass may leave sound out",
        )  # fmt: skip
