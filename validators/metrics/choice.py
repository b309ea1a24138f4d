"""The metrics by name, and which of them fits a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...errors import UsageError
from ...shards.phones import OWN
from . import answers, bert_score, bleu, error_rates, ratings, rouge
from .edits import is_unspaced
from .metric import NAMES, Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What metrics of some kinds must be told.

    Attributes:
        phones: The set of phones that labels are folded to; `own` keeps them.
        ignore_silence: Whether silence is left out of phones.
        bert_model, bert_layer, bert_baseline: The model of BERTScore, its layer, and the score of unrelated texts.
    """

    phones: str = OWN
    ignore_silence: bool = False
    bert_model: str | None = None
    bert_layer: int | None = None
    bert_baseline: float | None = None


_MADE: Mapping[str, Callable[[Settings], Metric]] = {
    "wer": lambda _: error_rates.word_error_rate(),
    "cer": lambda _: error_rates.character_error_rate(),
    "per": lambda told: error_rates.phone_error_rate(fold=told.phones, ignore_silence=told.ignore_silence),
    "position_accuracy": lambda told: error_rates.position_accuracy(ignore_silence=told.ignore_silence),
    "accuracy": lambda _: answers.accuracy(),
    "answer": lambda _: answers.same_answer(),
    "mmar": lambda _: answers.string_match(),
    "mmsu": lambda _: answers.right_letter(),
    "bleu": lambda _: bleu.bleu(),
    "bleu_source": lambda _: bleu.bleu_by_source(),
    "rouge": lambda _: rouge.rouge_l(),
    "bertscore": lambda told: bert_score.bert_score(
        model=told.bert_model, layer=told.bert_layer, baseline=told.bert_baseline
    ),
    "rubrics": lambda _: ratings.rubrics(),
    "airbench": lambda _: ratings.airbench(),
}


def metric(name: str, settings: Settings) -> Metric:
    """A metric by its name.

    Raises:
        UsageError: There is no such metric, or a package that it needs is not installed.
    """
    if name not in _MADE:
        raise UsageError(f"There is no metric {name!r}.", hint=f"metrics: {', '.join(NAMES)}")
    return _MADE[name](settings)


_BY_TASK = {
    "s2tt": ("bleu",), "translation": ("bleu",), "ser": ("accuracy",), "vsc": ("accuracy",), "captioning": ("rouge",),
    "aac": ("rouge",), "phoneme": ("per",),
}  # fmt: skip


def metrics_of(task: str | None, language: str | None, *, has_choices: bool) -> tuple[str, ...]:
    """The metrics of a row where none are asked for: by its task, of a question by whether it has choices."""
    if task == "asr":
        return ("cer",) if is_unspaced(language) else ("wer",)
    return _BY_TASK.get(task or "", ("mmar",) if has_choices else ("answer",))
